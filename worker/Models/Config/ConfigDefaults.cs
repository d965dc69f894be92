using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Config;

/// <summary>What an architecture's configuration class in transformers assumes for fields that config.json leaves out; these are Llama's.
/// Given to <see cref="ModelConfig.ReadCommonFields"/> by the architectures.</summary>
internal sealed record ConfigDefaults
{
    /// <summary>The field that names the MLP's non-linearity; null where the architecture reads it itself.</summary>
    public string? ActivationField { get; init; } = "hidden_act";

    public Activation Activation { get; init; } = Activation.Silu;

    public double NormEpsilon { get; init; } = 1e-6;

    public bool TieWordEmbeddings { get; init; }

    /// <summary>Null: the field must be there.</summary>
    public int? MaxPositionEmbeddings { get; init; }

    /// <summary>Times the hidden size that the intermediate size is; null: the field must be there.</summary>
    public int? IntermediateRatio { get; init; }

    /// <summary>Share of a head that is rotated.</summary>
    public double PartialRotaryFactor { get; init; } = 1;

    /// <summary>Dimensions of a head that are rotated, where the configuration counts them.</summary>
    public int? RotaryDim { get; init; }

    /// <summary>Base of the frequencies.</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>Neighbouring elements are rotated with each other.</summary>
    public bool InterleavedRotary { get; init; }

    /// <summary>Positions of images have several axes (mrope). Those of text are equal on all, so that text is rotated as
    /// without.</summary>
    public bool MultiAxisRotary { get; init; }

    /// <summary>Positions are encoded by rotation.</summary>
    public bool Rotary { get; init; } = true;
}
