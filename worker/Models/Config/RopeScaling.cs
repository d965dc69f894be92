namespace Cluster.Worker.Models.Config;

/// <summary>How rotary frequencies are stretched to contexts longer than those of training; this one does not stretch. Used by
/// <see cref="RopeParameters"/>.</summary>
internal record RopeScaling
{
    /// <summary>Times the context grows.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Multiplies cosines and sines.</summary>
    public virtual double AttentionScale => 1;

    /// <summary>Base of the series for a table of <paramref name="maxPositions"/>.</summary>
    public virtual double Theta(RopeParameters rope, int maxPositions) => rope.Theta;

    /// <summary>Scales the unscaled inverse frequencies in place.</summary>
    public virtual void Scale(RopeParameters rope, Span<double> frequencies)
    {
    }
}

/// <summary>Every position divided by the factor.</summary>
internal sealed record LinearRopeScaling : RopeScaling
{
    public override void Scale(RopeParameters rope, Span<double> frequencies)
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

/// <summary>Llama 3.1: long wavelengths divided by the factor, short ones kept, a linear blend between.</summary>
internal sealed record Llama3RopeScaling : RopeScaling
{
    public required double LowFrequencyFactor { get; init; }

    public required double HighFrequencyFactor { get; init; }

    public override void Scale(RopeParameters rope, Span<double> frequencies)
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

    public override void Scale(RopeParameters rope, Span<double> frequencies)
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
