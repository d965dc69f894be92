using System.Runtime.CompilerServices;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>Transcendental functions on vectors. Called by the activation and attention kernels.</summary>
internal static class VectorMath<V, TSimd>
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>eˣ within 2 units in the last place for x in [-87.3, 88.3]; beyond, the value at the bound. NaN stays NaN.</summary>
    /// <remarks>x = n·ln 2 + r with |r| ≤ ln 2 / 2; ln 2 in two parts and the polynomial for eʳ are those of Cephes' expf.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp(V x)
    {
        x = TSimd.Max(TSimd.Create(-87.3f), TSimd.Min(TSimd.Create(88.3f), x));
        var n = TSimd.Round(TSimd.Multiply(x, TSimd.Create(1.44269504f)));
        var r = TSimd.MultiplyAdd(n, TSimd.Create(-0.693359375f), x);
        r = TSimd.MultiplyAdd(n, TSimd.Create(2.12194440e-4f), r);

        var p = TSimd.Create(1.9875691500e-4f);
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1.3981999507e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(8.3334519073e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(4.1665795894e-2f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1.6666665459e-1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(5.0000001201e-1f));
        p = TSimd.MultiplyAdd(TSimd.Multiply(r, r), p, TSimd.Add(r, TSimd.Create(1f)));
        return TSimd.Multiply(p, TSimd.PowerOfTwo(n));
    }

    /// <summary>2ˣ within 2 units in the last place for x in [-126, 0]; below, the value at the bound. 1 at 0, NaN at NaN. Takes half the
    /// time of <see cref="Exp"/>.</summary>
    /// <remarks>x = n + r with |r| ≤ ½; 2ʳ is a polynomial through seven points, by Estrin's scheme, whose steps wait for few
    /// others.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PowerOfTwoBelowOne(V x)
    {
        x = TSimd.Max(TSimd.Create(-126f), x);
        var n = TSimd.Round(x);
        var r = TSimd.Subtract(x, n);
        var square = TSimd.Multiply(r, r);
        var low = TSimd.MultiplyAdd(r, TSimd.Create(0.693147182f), TSimd.Create(1f));
        var middle = TSimd.MultiplyAdd(r, TSimd.Create(0.0555035695f), TSimd.Create(0.240226507f));
        var high = TSimd.MultiplyAdd(r, TSimd.Create(0.00133908633f), TSimd.Create(0.00961808302f));
        low = TSimd.MultiplyAdd(square, middle, low);
        high = TSimd.MultiplyAdd(square, TSimd.Create(0.000154531634f), high);
        return TSimd.Multiply(TSimd.MultiplyAdd(TSimd.Multiply(square, square), high, low), TSimd.PowerOfTwo(n));
    }

    /// <summary>1 / (1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid(V x)
    {
        var one = TSimd.Create(1f);
        return TSimd.Divide(one, TSimd.Add(one, Exp(TSimd.Subtract(TSimd.Create(0f), x))));
    }

    /// <summary>tanh x within 3 units in the last place.</summary>
    /// <remarks>Near 0 the polynomial of Cephes' tanhf; elsewhere 1 - 2 / (e²ˣ + 1), mirrored for negative x.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh(V x)
    {
        var one = TSimd.Create(1f);
        var two = TSimd.Create(2f);
        var magnitude = TSimd.Abs(x);
        var far = TSimd.Subtract(one, TSimd.Divide(two, TSimd.Add(Exp(TSimd.Multiply(two, magnitude)), one)));
        far = TSimd.SelectNegative(x, TSimd.Subtract(TSimd.Create(0f), far), far);

        var square = TSimd.Multiply(x, x);
        var p = TSimd.Create(-5.70498872745e-3f);
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(2.06390887954e-2f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-5.37397155531e-2f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(1.33314422036e-1f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-3.33332819422e-1f));
        var near = TSimd.MultiplyAdd(TSimd.Multiply(p, square), x, x);
        return TSimd.SelectNegative(TSimd.Subtract(magnitude, TSimd.Create(0.625f)), near, far);
    }

    /// <summary>Φ(x), the normal distribution function, with relative error below 1e-6 where it exceeds 1e-30.</summary>
    /// <remarks>½·erfc(|x|/√2) by the Chebyshev fit of Numerical Recipes (erfcc), mirrored for positive x.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V NormalCdf(V x)
    {
        var one = TSimd.Create(1f);
        var z = TSimd.Multiply(TSimd.Abs(x), TSimd.Create(0.70710678f));
        var t = TSimd.Divide(one, TSimd.MultiplyAdd(z, TSimd.Create(0.5f), one));
        var p = TSimd.Create(0.17087277f);
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-0.82215223f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(1.48851587f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-1.13520398f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(0.27886807f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-0.18628806f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(0.09678418f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(0.37409196f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(1.00002368f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-1.26551223f));
        p = TSimd.Subtract(p, TSimd.Multiply(z, z));
        var tail = TSimd.Multiply(TSimd.Multiply(TSimd.Create(0.5f), t), Exp(p));
        return TSimd.SelectNegative(x, tail, TSimd.Subtract(one, tail));
    }
}
