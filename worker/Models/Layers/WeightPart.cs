using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Layers;

/// <summary>One part of a stacked multiplication: where in the checkpoint its outputs lie. Given to
/// <see cref="WeightLoader"/>.</summary>
/// <remarks>
/// <code>
/// q_proj.weight          [out, in]            a tensor of its own
/// qkv_proj.weight        [q + k + v, in]      three parts are runs of its outputs
/// c_attn.weight          [in, q + k + v]      Transposed
/// experts.gate_up_proj   [experts, in, out]   Expert, Transposed; of gpt-oss every second output: Step 2, Offset 0 and 1
/// </code>
/// </remarks>
/// <param name="Name">The layer's, without <c>.weight</c> and <c>.bias</c>; where all experts share a tensor, the tensor's own.</param>
/// <param name="Outputs">Outputs taken of those that <see cref="Step"/> leaves.</param>
internal readonly record struct WeightPart(string Name, Slice Outputs)
{
    /// <summary>Stored as <c>[in, out]</c>.</summary>
    public bool Transposed { get; init; }

    /// <summary>Which expert's, of a tensor that holds all of them: <c>[experts, …]</c>. Biases are <c>Name_bias [experts,
    /// out]</c>.</summary>
    public int? Expert { get; init; }

    /// <summary>Experts of that tensor.</summary>
    public int Experts { get; init; }

    /// <summary>Stored outputs from one of the part's to the next.</summary>
    public int Step { get; init; } = 1;

    /// <summary>The part's first stored output, below <see cref="Step"/>.</summary>
    public int Offset { get; init; }

    /// <summary>Other ranks keep these outputs as well, though the part is not the whole tensor.</summary>
    public bool Copied { get; init; }

    /// <summary>Full name of the tensor.</summary>
    public string Tensor => Expert is null ? Name + ".weight" : Name;

    public string BiasTensor => Expert is null ? Name + ".bias" : Name + "_bias";

    /// <summary>Outputs of the tensor as stored.</summary>
    public int StoredOutputs => Outputs.Full * Step;

    /// <summary>The first stored output taken.</summary>
    public int FirstStored => (Outputs.First * Step) + Offset;

    /// <summary>Gate and up of an MLP, one above the other: a layer each, or the halves of one.</summary>
    /// <param name="names">Two, or one.</param>
    /// <param name="features">Taken of each.</param>
    public static WeightPart[] GateUp(IReadOnlyList<string> names, Slice features) =>
        names is [var fused] ? Halves(fused, features) : [.. names.Select(name => new WeightPart(name, features))];

    /// <summary>The halves of a tensor whose outputs are two features each, one half after the other, such as
    /// <c>gate_up_proj</c>.</summary>
    /// <param name="features">Taken of each half.</param>
    public static WeightPart[] Halves(string name, Slice features) =>
    [
        new(name, features with { Full = 2 * features.Full }),
        new(name, new Slice(2 * features.Full, features.Full + features.First, features.Count)),
    ];
}
