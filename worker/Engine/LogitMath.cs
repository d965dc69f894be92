using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Cluster.Worker.Engine;

/// <summary>Passes over a row of logits. Called by <see cref="Sampler"/> and <see cref="TokenWeights"/>.</summary>
internal static class LogitMath
{
    private const int Width = 8;

    /// <summary>The largest value; NaN if any value is NaN.</summary>
    public static float Max(ReadOnlySpan<float> values)
    {
        var max = float.NegativeInfinity;
        if (values.Length < Width)
        {
            foreach (var value in values)
            {
                max = MathF.Max(max, value);
            }

            return max;
        }

        // The processor's own maximum is not IEEE's: it may lose a NaN. So those are looked for beside it.
        ref var start = ref MemoryMarshal.GetReference(values);
        var even = Vector256.LoadUnsafe(ref start, (nuint)(values.Length - Width));
        var odd = even;
        var numbers = Vector256.Equals(even, even);
        var i = 0;
        for (; i <= values.Length - (2 * Width); i += 2 * Width)
        {
            var one = Vector256.LoadUnsafe(ref start, (nuint)i);
            var other = Vector256.LoadUnsafe(ref start, (nuint)(i + Width));
            even = Vector256.MaxNative(even, one);
            odd = Vector256.MaxNative(odd, other);
            numbers &= Vector256.Equals(one, one) & Vector256.Equals(other, other);
        }

        if (i <= values.Length - Width)
        {
            var one = Vector256.LoadUnsafe(ref start, (nuint)i);
            even = Vector256.MaxNative(even, one);
            numbers &= Vector256.Equals(one, one);
        }

        if (numbers.ExtractMostSignificantBits() != (1 << Width) - 1)
        {
            return float.NaN;
        }

        var widest = Vector256.MaxNative(even, odd);
        for (var lane = 0; lane < Width; lane++)
        {
            max = MathF.Max(max, widest[lane]);
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

    /// <summary>e to the power of numbers that are at most 0 and not NaN; what would be subnormal is 0. In single precision throughout,
    /// which the library's is not: this is most of what sampling costs.</summary>
    /// <remarks>Cephes expf (S. Moshier): x = n ln 2 + r, and a polynomial for e^r with |r| up to ln 2 / 2. Off by one or two units in the
    /// last place.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        const float RoundsToInteger = 12582912f;
        var least = Vector256.Create(-87.33654f);
        var bounded = Vector256.MaxNative(x, least);

        // Adding 1.5 · 2²³ leaves the nearest integer n in the sum's low bits, from where a shift makes it an exponent.
        var shifted = Vector256.FusedMultiplyAdd(bounded, Vector256.Create(1.44269504f), Vector256.Create(RoundsToInteger));
        var n = shifted - Vector256.Create(RoundsToInteger);

        // ln 2 in two parts, the first with so few bits that n times it is exact.
        var r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-0.693359375f), bounded);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(2.12194440e-4f), r);
        var p = Vector256.FusedMultiplyAdd(r, Vector256.Create(1.9875691500e-4f), Vector256.Create(1.3981999507e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(8.3334519073e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(4.1665795894e-2f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.6666665459e-1f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(5.0000001201e-1f));
        p = Vector256.FusedMultiplyAdd(p, r * r, r) + Vector256<float>.One;
        var power = Vector256.ShiftLeft(shifted.AsInt32() + Vector256.Create(127), 23).AsSingle();
        return (p * power) & Vector256.GreaterThanOrEqual(x, least);
    }
}
