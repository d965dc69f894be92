using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Config;

/// <summary>Rotary position embedding as a checkpoint configures it, in either spelling: <c>rope_parameters</c> (transformers 5) or
/// <c>rope_theta</c> + <c>rope_scaling</c>. Made by <see cref="Read"/>; <see cref="Frequencies"/> turns it into what a backend rotates
/// by.</summary>
/// <remarks>Formulas: transformers <c>modeling_rope_utils.py</c>; YaRN: arXiv 2309.00071; linear: arXiv 2306.15595.</remarks>
/// <param name="Theta">Base of the geometric series of frequencies.</param>
/// <param name="RotaryDim">Dimensions of a head that are rotated; even.</param>
/// <param name="OriginalMaxPositions">Positions the model was trained on before its frequencies were scaled.</param>
internal sealed record RopeParameters(double Theta, int RotaryDim, int OriginalMaxPositions, RopeScaling Scaling)
{
    private const double DefaultTheta = 10_000;
    private const double MaxTheta = 1e12;
    private const double MaxFactor = 1e6;
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
    /// <param name="defaultShare">Share of a head that is rotated when the configuration does not say.</param>
    /// <exception cref="ModelConfigException">A field is missing or out of range, or the type of scaling is not supported.</exception>
    public static RopeParameters Read(ConfigObject config, int headDim, int maxPositionEmbeddings, double defaultShare = 1)
    {
        var parameters = config.OptionalObject("rope_parameters") ?? config.OptionalObject("rope_scaling");
        var theta = parameters?.OptionalPositive("rope_theta", MaxTheta) ?? config.OptionalPositive("rope_theta", MaxTheta) ?? DefaultTheta;
        if (theta <= 1)
        {
            throw config.Invalid("rope_theta", $"is {theta}; it must be above 1");
        }

        var share = parameters?.OptionalPositive("partial_rotary_factor", 1)
            ?? config.OptionalPositive("partial_rotary_factor", 1) ?? defaultShare;
        var rotaryDim = (int)(headDim * share);
        if (rotaryDim < 2 || rotaryDim % 2 != 0)
        {
            throw config.Invalid(
                "head_dim",
                $"{headDim} × partial_rotary_factor {share} rotates {rotaryDim} dimensions; the number must be even and at least 2");
        }

        var original = parameters?.OptionalInteger("original_max_position_embeddings", 1, MaxPositions)
            ?? config.OptionalInteger("original_max_position_embeddings", 1, MaxPositions)
            ?? maxPositionEmbeddings;
        return new RopeParameters(theta, rotaryDim, original, ReadScaling(parameters, maxPositionEmbeddings, original));
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

        Scaling.Scale(this, frequencies);
        return new RopeFrequencies(Array.ConvertAll(frequencies, Round), (float)Scaling.AttentionScale, maxPositions)
        {
            Interleaved = Interleaved,
            FirstDim = FirstDim,
        };
    }

    private float Round(double frequency) => FrequencyDType == DType.BF16 ? BFloat16.Round((float)frequency) : (float)frequency;

    private static RopeScaling ReadScaling(ConfigObject? parameters, int maxPositionEmbeddings, int original)
    {
        var type = parameters?.OptionalString("rope_type") ?? parameters?.OptionalString("type") ?? "default";
        return (type, parameters) switch
        {
            ("default", _) or (_, null) => new RopeScaling(),
            ("linear", _) => new LinearRopeScaling { Factor = ReadFactor(parameters) },
            ("dynamic", _) => new DynamicNtkRopeScaling { Factor = ReadFactor(parameters) },
            ("llama3", _) => ReadLlama3(parameters),
            ("yarn", _) => ReadYarn(parameters, maxPositionEmbeddings, original),
            _ => throw parameters.Invalid("rope_type", $"is '{type}'; supported: default, linear, dynamic, llama3, yarn"),
        };
    }

    private static double ReadFactor(ConfigObject parameters)
    {
        var factor = parameters.Positive("factor", MaxFactor);
        return factor >= 1 ? factor : throw parameters.Invalid("factor", $"is {factor}; it must be at least 1");
    }

    private static Llama3RopeScaling ReadLlama3(ConfigObject parameters)
    {
        var low = parameters.Positive("low_freq_factor", MaxFactor);
        var high = parameters.Positive("high_freq_factor", MaxFactor);
        if (high <= low)
        {
            throw parameters.Invalid("high_freq_factor", $"is {high}; it must be above low_freq_factor {low}");
        }

        // Without the trained length there is nothing to compare a wavelength with.
        _ = parameters.Integer("original_max_position_embeddings", 1, MaxPositions);
        return new Llama3RopeScaling { Factor = ReadFactor(parameters), LowFrequencyFactor = low, HighFrequencyFactor = high };
    }

    private static YarnRopeScaling ReadYarn(ConfigObject parameters, int maxPositionEmbeddings, int original)
    {
        var fast = parameters.OptionalPositive("beta_fast", MaxFactor) ?? 32;
        var slow = parameters.OptionalPositive("beta_slow", MaxFactor) ?? 1;
        if (fast < slow)
        {
            throw parameters.Invalid("beta_fast", $"is {fast}; it must not be below beta_slow {slow}");
        }

        return new YarnRopeScaling
        {
            Factor = parameters.Has("factor") ? ReadFactor(parameters) : Math.Max(1, (double)maxPositionEmbeddings / original),
            BetaFast = fast,
            BetaSlow = slow,
            Truncate = parameters.Boolean("truncate", true),
            AttentionFactor = parameters.OptionalPositive("attention_factor", MaxFactor),
            Mscale = parameters.OptionalPositive("mscale", MaxFactor),
            MscaleAllDim = parameters.OptionalPositive("mscale_all_dim", MaxFactor),
        };
    }
}
