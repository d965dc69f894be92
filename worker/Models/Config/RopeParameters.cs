using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Config;

/// <summary>Rotary position embedding as a checkpoint configures it, in either spelling: <c>rope_parameters</c> (transformers 5) or
/// <c>rope_theta</c> + <c>rope_scaling</c>. Made by <see cref="Read(ConfigObject, int, int, ConfigDefaults)"/>; <see cref="Frequencies"/>
/// turns it into what a backend rotates by.</summary>
/// <remarks>Formulas: transformers <c>modeling_rope_utils.py</c>; YaRN: arXiv 2309.00071; linear: arXiv 2306.15595.</remarks>
/// <param name="Theta">Base of the geometric series of frequencies.</param>
/// <param name="RotaryDim">Dimensions of a head that are rotated; even.</param>
/// <param name="OriginalMaxPositions">Positions the model was trained on before its frequencies were scaled.</param>
internal sealed record RopeParameters(double Theta, int RotaryDim, int OriginalMaxPositions, RopeScaling Scaling)
{
    private const double MaxTheta = 1e12;
    private const int MaxPositions = 1 << 28;

    /// <summary>Type the frequencies are rounded to: F32, but BF16 to reproduce results of a model that was cast to bf16 as a whole
    /// (transformers' <c>model.to(bfloat16)</c> casts the frequencies with the weights, <c>from_pretrained</c> does not).
    /// The difference grows with position: 0.06 in a logit after 40 tokens.</summary>
    public DType FrequencyDType { get; init; } = DType.F32;

    /// <summary>See <see cref="RopeFrequencies.Interleaved"/>.</summary>
    public bool Interleaved { get; init; }

    /// <summary>See <see cref="RopeFrequencies.FirstDim"/>.</summary>
    public int FirstDim { get; init; }

    /// <param name="config">The model's whole configuration.</param>
    /// <param name="headDim">Elements of a head.</param>
    /// <param name="maxPositionEmbeddings">The configuration's own limit.</param>
    /// <param name="defaults">What the architecture assumes when the configuration does not say.</param>
    /// <exception cref="ModelConfigException">A field is missing or out of range, or the type of scaling is not supported.</exception>
    public static RopeParameters Read(ConfigObject config, int headDim, int maxPositionEmbeddings, ConfigDefaults defaults) =>
        Read(
            config, config.OptionalObject("rope_parameters") ?? config.OptionalObject("rope_scaling"), headDim, maxPositionEmbeddings,
            defaults);

    /// <summary>The same where the parameters lie somewhere else.</summary>
    /// <inheritdoc cref="Read(ConfigObject, int, int, ConfigDefaults)"/>
    public static RopeParameters Read(
        ConfigObject config, ConfigObject? parameters, int headDim, int maxPositionEmbeddings, ConfigDefaults defaults)
    {
        var theta = parameters?.OptionalPositive("rope_theta", MaxTheta)
            ?? config.OptionalPositive("rope_theta", MaxTheta) ?? defaults.RopeTheta;
        if (theta <= 1)
        {
            throw config.Invalid("rope_theta", $"is {theta}; it must be above 1");
        }

        var share = parameters?.OptionalPositive("partial_rotary_factor", 1)
            ?? config.OptionalPositive("partial_rotary_factor", 1) ?? defaults.PartialRotaryFactor;
        var rotaryDim = defaults.RotaryDim ?? (int)(headDim * share);
        if (rotaryDim < 2 || rotaryDim % 2 != 0)
        {
            throw config.Invalid(
                "head_dim",
                $"{headDim} × partial_rotary_factor {share} rotates {rotaryDim} dimensions; the number must be even and at least 2");
        }

        var original = parameters?.OptionalInteger("original_max_position_embeddings", 1, MaxPositions)
            ?? config.OptionalInteger("original_max_position_embeddings", 1, MaxPositions)
            ?? maxPositionEmbeddings;
        var scaling = RopeScalingReader.Read(parameters, rotaryDim, maxPositionEmbeddings, original, defaults.MultiAxisRotary);
        return new RopeParameters(theta, rotaryDim, original, scaling) { Interleaved = defaults.InterleavedRotary };
    }

    /// <summary>Longest context these parameters are made for, by vLLM's rule: Llama 3 states it in <c>max_position_embeddings</c> itself,
    /// the others state the length before scaling.</summary>
    public int MaxLength(int maxPositionEmbeddings) => Scaling switch
    {
        LinearRopeScaling or DynamicNtkRopeScaling => (int)Math.Min(maxPositionEmbeddings * Scaling.Factor, MaxPositions),
        YarnRopeScaling => (int)Math.Min(OriginalMaxPositions * Scaling.Factor, MaxPositions),
        _ => maxPositionEmbeddings,
    };

    /// <summary>Frequencies for a table of <paramref name="maxPositions"/> positions.</summary>
    public RopeFrequencies Frequencies(int maxPositions)
    {
        var frequencies = new double[RotaryDim / 2];
        var theta = Scaling.Theta(this, maxPositions);
        for (var i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = Math.Pow(theta, -2.0 * i / RotaryDim);
        }

        Scaling.Scale(this, maxPositions, frequencies);
        return new RopeFrequencies(Array.ConvertAll(frequencies, Round), (float)Scaling.AttentionScaleAt(this, maxPositions), maxPositions)
        {
            Interleaved = Interleaved,
            FirstDim = FirstDim,
        };
    }

    private float Round(double frequency) => FrequencyDType == DType.BF16 ? BFloat16.Round((float)frequency) : (float)frequency;
}
