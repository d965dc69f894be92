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
            var exponentials = Exp((new Vector<float>(logits[i..]) - maxima) / temperatures);
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

    /// <summary>The sum, accumulated in double precision in one fixed order.</summary>
    public static double Sum(ReadOnlySpan<float> values)
    {
        var i = 0;
        var sums = Vector<double>.Zero;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(values[i..]), out var lower, out var upper);
            sums += lower + upper;
        }

        var sum = Vector.Sum(sums);
        for (; i < values.Length; i++)
        {
            sum += values[i];
        }

        return sum;
    }

    /// <summary>e to the power of numbers that are at most 0; what would be subnormal is 0. In single precision throughout, which the library's is not: this is most
    /// of what sampling costs.</summary>
    /// <remarks>Cephes expf (S. Moshier): x = n ln 2 + r, and a polynomial for e^r with |r| up to ln 2 / 2. Off by one or two units in the last place.</remarks>
    private static Vector<float> Exp(Vector<float> x)
    {
        var least = new Vector<float>(-87.33654f);
        var n = Vector.Round(Vector.Max(x, least) * new Vector<float>(1.44269504f));

        // ln 2 in two parts, the first with so few bits that n times it is exact.
        var r = Vector.MultiplyAddEstimate(n, new Vector<float>(-0.693359375f), Vector.Max(x, least));
        r = Vector.MultiplyAddEstimate(n, new Vector<float>(2.12194440e-4f), r);
        var p = Vector.MultiplyAddEstimate(r, new Vector<float>(1.9875691500e-4f), new Vector<float>(1.3981999507e-3f));
        p = Vector.MultiplyAddEstimate(p, r, new Vector<float>(8.3334519073e-3f));
        p = Vector.MultiplyAddEstimate(p, r, new Vector<float>(4.1665795894e-2f));
        p = Vector.MultiplyAddEstimate(p, r, new Vector<float>(1.6666665459e-1f));
        p = Vector.MultiplyAddEstimate(p, r, new Vector<float>(5.0000001201e-1f));
        p = Vector.MultiplyAddEstimate(p, r * r, r) + Vector<float>.One;
        var power = Vector.AsVectorSingle(Vector.ShiftLeft(Vector.ConvertToInt32(n) + new Vector<int>(127), 23));
        return Vector.ConditionalSelect(Vector.GreaterThanOrEqual(x, least), p * power, Vector<float>.Zero);
    }
}
