using Cluster.Worker.Compute;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>Loads the linear layers of a layer's experts, however the checkpoint stores them (<see cref="ExpertLayout"/>). Called by
/// <see cref="MixtureOfExperts"/>.</summary>
internal sealed class ExpertMatrices(int layer, Shard shard, MoeConfig moe, WeightLoader weights, WeightNames names)
{
    private readonly Slice _features = shard.ExpertIntermediate;
    private readonly int _hidden = shard.Config.HiddenSize;

    /// <summary>Gate and up, one above the other.</summary>
    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public LinearWeight[] GateUp() => Load("gate_up", GateUpParts, _hidden);

    /// <exception cref="CheckpointFormatException">A tensor is missing or has another shape.</exception>
    public LinearWeight[] Down() => Load("down", expert => [Part(expert, names.ExpertDown, _hidden)], _features);

    private LinearWeight[] Load(string name, Func<int, WeightPart[]> parts, Slice inFeatures) =>
    [
        .. Enumerable.Range(0, moe.NumExperts).Select(
            expert => weights.Linear(Named($"experts.{expert}.{name}"), parts(expert), inFeatures, moe.ExpertBias)),
    ];

    private WeightPart[] GateUpParts(int expert) => names.ExpertLayout switch
    {
        ExpertLayout.Separate => [.. names.ExpertGateUp.Select(name => Part(expert, name, _features))],
        ExpertLayout.Interleaved =>
        [
            .. Enumerable.Range(0, 2).Select(offset => Part(expert, names.ExpertGateUp[0], _features) with { Step = 2, Offset = offset }),
        ],
        _ => [.. WeightPart.Halves("", _features).Select(half => Part(expert, names.ExpertGateUp[0], half.Outputs))],
    };

    private WeightPart Part(int expert, string name, Slice outputs) => names.ExpertLayout == ExpertLayout.Separate
        ? new(Named($"{names.ExpertPrefix}{expert}.{name}"), outputs)
        : new(Named(name), outputs)
        {
            Expert = expert,
            Experts = moe.NumExperts,
            Transposed = names.ExpertLayout != ExpertLayout.Stacked,
        };

    private string Named(string name) => names.InLayer(layer, name);
}
