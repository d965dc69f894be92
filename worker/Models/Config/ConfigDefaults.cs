using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Config;

/// <summary>What an architecture's configuration class in transformers assumes for fields that config.json leaves out; these are Llama's.
/// Given to <see cref="ModelConfig.ReadCommonFields"/> by the architectures.</summary>
internal sealed record ConfigDefaults
{
    /// <summary>The field that names the MLP's non-linearity.</summary>
    public string ActivationField { get; init; } = "hidden_act";

    public Activation Activation { get; init; } = Activation.Silu;

    public double NormEpsilon { get; init; } = 1e-6;

    public bool TieWordEmbeddings { get; init; }

    /// <summary>Null: the field must be there.</summary>
    public int? MaxPositionEmbeddings { get; init; }

    /// <summary>Times the hidden size that the intermediate size is; null: the field must be there.</summary>
    public int? IntermediateRatio { get; init; }

    /// <summary>Share of a head that is rotated.</summary>
    public double PartialRotaryFactor { get; init; } = 1;

    /// <summary>Positions are encoded by rotation.</summary>
    public bool Rotary { get; init; } = true;
}
