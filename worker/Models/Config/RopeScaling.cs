using System.Collections.Immutable;

namespace Cluster.Worker.Models.Config;

/// <summary>How rotary frequencies are stretched to contexts longer than those of training; this one does not stretch. Used by
/// <see cref="RopeParameters"/>.</summary>
internal record RopeScaling
{
    /// <summary>Times the context grows.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Multiplies cosines and sines.</summary>
    public virtual double AttentionScale => 1;

    /// <summary>Multiplies all scores of latent attention, whose keys are rotated in part only.</summary>
    public virtual double ScoreScale => 1;

    /// <summary>The same for a table of <paramref name="maxPositions"/>.</summary>
    public virtual double AttentionScaleAt(RopeParameters rope, int maxPositions) => AttentionScale;

    /// <summary>Base of the series for a table of <paramref name="maxPositions"/>.</summary>
    public virtual double Theta(RopeParameters rope, int maxPositions) => rope.Theta;

    /// <summary>Scales the unscaled inverse frequencies of a table of <paramref name="maxPositions"/> in place.</summary>
    public virtual void Scale(RopeParameters rope, int maxPositions, Span<double> frequencies)
    {
    }
}

/// <summary>Every position divided by the factor.</summary>
internal sealed record LinearRopeScaling : RopeScaling
{
    public override void Scale(RopeParameters rope, int maxPositions, Span<double> frequencies)
    {
        foreach (ref var frequency in frequencies)
        {
            frequency /= Factor;
        }
    }
}

/// <summary>A larger base for longer contexts. Transformers grows the base while a sequence grows, which a cache of rotated keys cannot
/// follow; like vLLM, this takes the base of the longest sequence served, so contexts within the trained length are unscaled only if no
/// longer ones are served.</summary>
internal sealed record DynamicNtkRopeScaling : RopeScaling
{
    public override double Theta(RopeParameters rope, int maxPositions)
    {
        var dim = rope.RotaryDim;
        if (maxPositions <= rope.OriginalMaxPositions || dim <= 2)
        {
            return rope.Theta;
        }

        return rope.Theta * Math.Pow((Factor * maxPositions / rope.OriginalMaxPositions) - (Factor - 1), dim / (dim - 2.0));
    }
}

/// <summary>A larger base whatever the context (HunYuan).</summary>
internal sealed record NtkAlphaRopeScaling : RopeScaling
{
    public required double Alpha { get; init; }

    public override double Theta(RopeParameters rope, int maxPositions) =>
        rope.RotaryDim <= 2 ? rope.Theta : rope.Theta * Math.Pow(Alpha, rope.RotaryDim / (rope.RotaryDim - 2.0));
}

/// <summary>LongRoPE (Ding et al., arXiv 2402.13753): each frequency divided by a factor of its own, one for contexts within the trained
/// length, another for longer ones. Transformers takes the longer ones as soon as a sequence is longer, which a cache of rotated keys
/// cannot follow; like vLLM, this takes them where longer sequences may be served.</summary>
internal sealed record LongRopeScaling : RopeScaling
{
    public required ImmutableArray<double> ShortFactors { get; init; }

    public required ImmutableArray<double> LongFactors { get; init; }

    /// <summary>Overrides the computed scale of attention.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>Overrides it within the trained length.</summary>
    public double? ShortMscale { get; init; }

    /// <summary>Overrides it beyond.</summary>
    public double? LongMscale { get; init; }

    public override double AttentionScaleAt(RopeParameters rope, int maxPositions) =>
        (IsLong(rope, maxPositions) ? LongMscale : ShortMscale)
        ?? AttentionFactor
        ?? (Factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(Factor) / Math.Log(rope.OriginalMaxPositions))));

    public override void Scale(RopeParameters rope, int maxPositions, Span<double> frequencies)
    {
        var factors = IsLong(rope, maxPositions) ? LongFactors : ShortFactors;
        for (var i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] /= factors[i];
        }
    }

    private static bool IsLong(RopeParameters rope, int maxPositions) => maxPositions > rope.OriginalMaxPositions;
}

/// <summary>Llama 3.1: long wavelengths divided by the factor, short ones kept, a linear blend between.</summary>
internal sealed record Llama3RopeScaling : RopeScaling
{
    public required double LowFrequencyFactor { get; init; }

    public required double HighFrequencyFactor { get; init; }

    public override void Scale(RopeParameters rope, int maxPositions, Span<double> frequencies)
    {
        foreach (ref var frequency in frequencies)
        {
            var turns = rope.OriginalMaxPositions * frequency / (2 * Math.PI);
            var kept = Math.Clamp((turns - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor), 0, 1);
            frequency *= kept + ((1 - kept) / Factor);
        }
    }
}

/// <summary>YaRN: dimensions that turn often within the trained context are kept, those that turn rarely are divided by the factor, and
/// attention is sharpened to make up for the longer context.</summary>
internal sealed record YarnRopeScaling : RopeScaling
{
    /// <summary>Turns above which a dimension is kept.</summary>
    public required double BetaFast { get; init; }

    /// <summary>Turns below which a dimension is divided.</summary>
    public required double BetaSlow { get; init; }

    /// <summary>Rounds the ends of the ramp to whole dimensions.</summary>
    public required bool Truncate { get; init; }

    /// <summary>Overrides the computed scale of attention.</summary>
    public double? AttentionFactor { get; init; }

    public double? Mscale { get; init; }

    public double? MscaleAllDim { get; init; }

    public override double AttentionScale =>
        AttentionFactor
        ?? (Mscale is { } mscale && MscaleAllDim is { } allDim ? Sharpening(mscale) / Sharpening(allDim) : Sharpening(1));

    /// <summary>HF modeling_deepseek_v3.py, which squares it as queries and keys would have it each.</summary>
    public override double ScoreScale => MscaleAllDim is { } allDim ? Sharpening(allDim) * Sharpening(allDim) : 1;

    public override void Scale(RopeParameters rope, int maxPositions, Span<double> frequencies)
    {
        var low = DimensionThatTurns(BetaFast, rope);
        var high = DimensionThatTurns(BetaSlow, rope);
        if (Truncate)
        {
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        }

        (low, high) = (Math.Max(low, 0), Math.Min(high, rope.RotaryDim - 1));
        var width = high == low ? 0.001 : high - low;
        for (var i = 0; i < frequencies.Length; i++)
        {
            var divided = Math.Clamp((i - low) / width, 0, 1);
            frequencies[i] *= 1 - divided + (divided / Factor);
        }
    }

    private static double DimensionThatTurns(double turns, RopeParameters rope) =>
        rope.RotaryDim * Math.Log(rope.OriginalMaxPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(rope.Theta));

    private double Sharpening(double mscale) => Factor <= 1 ? 1 : (0.1 * mscale * Math.Log(Factor)) + 1;
}
