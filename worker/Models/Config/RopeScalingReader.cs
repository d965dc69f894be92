using System.Collections.Immutable;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Config;

/// <summary>Reads how a configuration scales rotary frequencies. Called by <see cref="RopeParameters"/>.</summary>
internal static class RopeScalingReader
{
    private const double MaxFactor = 1e6;
    private const int MaxPositions = 1 << 28;

    /// <param name="parameters">Null where there are none.</param>
    /// <param name="rotaryDim">Dimensions of a head that are rotated.</param>
    /// <param name="original">Positions the model was trained on before its frequencies were scaled.</param>
    /// <param name="multiAxis">Whether <c>mrope</c> may stand there, which rotates text as no scaling does.</param>
    /// <exception cref="ModelConfigException">A field is missing or out of range, or the type is not supported.</exception>
    public static RopeScaling Read(ConfigObject? parameters, int rotaryDim, int maxPositionEmbeddings, int original, bool multiAxis)
    {
        var type = parameters?.OptionalString("rope_type") ?? parameters?.OptionalString("type") ?? "default";
        return (type, parameters) switch
        {
            ("default", _) or (_, null) => new RopeScaling(),
            ("mrope", _) when multiAxis => new RopeScaling(),
            ("linear", _) => new LinearRopeScaling { Factor = ReadFactor(parameters) },
            ("dynamic", _) when parameters.OptionalPositive("alpha", MaxFactor) is { } alpha => new NtkAlphaRopeScaling { Alpha = alpha },
            ("dynamic", _) => new DynamicNtkRopeScaling { Factor = ReadFactor(parameters) },
            ("llama3", _) => ReadLlama3(parameters),
            ("yarn", _) => ReadYarn(parameters, maxPositionEmbeddings, original),
            ("longrope" or "su", _) => ReadLongRope(parameters, rotaryDim, maxPositionEmbeddings, original),
            _ => throw parameters.Invalid("rope_type", $"is '{type}'; supported: default, linear, dynamic, llama3, yarn, longrope"),
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

    private static LongRopeScaling ReadLongRope(ConfigObject parameters, int rotaryDim, int maxPositionEmbeddings, int original)
    {
        ImmutableArray<double> Factors(string name)
        {
            var factors = parameters.Positives(name);
            return 2 * factors.Length == rotaryDim
                ? factors
                : throw parameters.Invalid(
                    name, $"has {factors.Length} entries; {rotaryDim} rotated dimensions call for {rotaryDim / 2}");
        }

        return new LongRopeScaling
        {
            Factor = maxPositionEmbeddings != original
                ? Math.Max(1, (double)maxPositionEmbeddings / original)
                : parameters.OptionalPositive("factor", MaxFactor) ?? 1,
            ShortFactors = Factors("short_factor"),
            LongFactors = Factors("long_factor"),
            AttentionFactor = parameters.OptionalPositive("attention_factor", MaxFactor),
            ShortMscale = parameters.OptionalPositive("short_mscale", MaxFactor),
            LongMscale = parameters.OptionalPositive("long_mscale", MaxFactor),
        };
    }
}
