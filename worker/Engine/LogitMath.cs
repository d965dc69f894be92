using System.Numerics;

namespace Cluster.Worker.Engine;

/// <summary>Passes over a row of logits, as wide as the processor allows. Called by <see cref="Sampler"/>.</summary>
internal static class LogitMath
{
    /// <summary>The largest value; NaN if any value is NaN.</summary>
    public static float Max(ReadOnlySpan<float> values)
    {
        var i = 0;
        var max = float.NegativeInfinity;
        if (values.Length >= Vector<float>.Count)
        {
            var widest = new Vector<float>(max);
            for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
            {
                // IEEE maximum: a NaN on either side stays.
                widest = Vector.Max(widest, new Vector<float>(values[i..]));
            }

            for (var lane = 0; lane < Vector<float>.Count; lane++)
            {
                max = MathF.Max(max, widest[lane]);
            }
        }

        for (; i < values.Length; i++)
        {
            max = MathF.Max(max, values[i]);
        }

        return max;
    }

    /// <summary>The first place that holds this value; -1 when none does.</summary>
    public static int IndexOf(ReadOnlySpan<float> values, float value)
    {
        var i = 0;
        var wanted = new Vector<float>(value);
        while (i <= values.Length - Vector<float>.Count && !Vector.EqualsAny(wanted, new Vector<float>(values[i..])))
        {
            i += Vector<float>.Count;
        }

        for (; i < values.Length; i++)
        {
            if (values[i] == value)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>weights[i] = exp((logits[i] - max) / temperature).</summary>
    /// <returns>Their sum, accumulated in double precision.</returns>
    public static double Exponentials(ReadOnlySpan<float> logits, float max, float temperature, Span<float> weights)
    {
        var i = 0;
        var maxima = new Vector<float>(max);
        var temperatures = new Vector<float>(temperature);
        var low = Vector<double>.Zero;
        var high = Vector<double>.Zero;
        for (; i <= logits.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var exponentials = Vector.Exp((new Vector<float>(logits[i..]) - maxima) / temperatures);
            exponentials.CopyTo(weights[i..]);
            Vector.Widen(exponentials, out var lower, out var upper);
            low += lower;
            high += upper;
        }

        var sum = Vector.Sum(low + high);
        for (; i < logits.Length; i++)
        {
            weights[i] = MathF.Exp((logits[i] - max) / temperature);
            sum += weights[i];
        }

        return sum;
    }
}
