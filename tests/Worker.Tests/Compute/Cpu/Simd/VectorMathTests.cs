using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Simd;

public unsafe class VectorMathTests
{
    [Fact]
    public void Exp_is_within_two_units_in_the_last_place_at_every_width()
    {
        ExpIsExact<float, SimdScalar>();
        ExpIsExact<Vector256<float>, Simd256>();
        ExpIsExact<Vector512<float>, Simd512>();
    }

    [Fact]
    public void Exp_saturates_and_keeps_nan()
    {
        Saturates<float, SimdScalar>();
        Saturates<Vector256<float>, Simd256>();
        Saturates<Vector512<float>, Simd512>();
    }

    [Fact]
    public void Powers_of_two_are_within_two_units_in_the_last_place_saturate_and_keep_nan_at_every_width()
    {
        PowerOfTwoIsExact<float, SimdScalar>();
        PowerOfTwoIsExact<Vector256<float>, Simd256>();
        PowerOfTwoIsExact<Vector512<float>, Simd512>();
    }

    [Fact]
    public void Tanh_is_within_three_units_in_the_last_place_at_every_width()
    {
        TanhIsExact<float, SimdScalar>();
        TanhIsExact<Vector256<float>, Simd256>();
        TanhIsExact<Vector512<float>, Simd512>();
    }

    private static void PowerOfTwoIsExact<V, TSimd>()
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = stackalloc float[16];
        float PowerOfTwo(float x)
        {
            TSimd.Store(VectorMath<V, TSimd>.PowerOfTwoBelowOne(TSimd.Create(x)), lanes);
            return lanes[0];
        }

        for (var i = -125_999; i <= 0; i += 7)
        {
            var x = i * 1e-3f;
            var expected = Math.Pow(2, x);
            var unit = MathF.BitIncrement((float)expected) - (float)expected;
            Assert.Equal(expected, PowerOfTwo(x), 2.0 * unit);
        }

        Assert.Equal(1, PowerOfTwo(0));
        Assert.Equal(MathF.Pow(2, -126), PowerOfTwo(float.NegativeInfinity));
        Assert.True(float.IsNaN(PowerOfTwo(float.NaN)));
    }

    private static void TanhIsExact<V, TSimd>()
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = stackalloc float[16];
        for (var i = -20_000; i <= 20_000; i++)
        {
            var x = i * 1e-3f * MathF.Abs(i * 1e-4f);
            var expected = Math.Tanh(x);
            var unit = MathF.BitIncrement(MathF.Abs((float)expected)) - MathF.Abs((float)expected);
            TSimd.Store(VectorMath<V, TSimd>.Tanh(TSimd.Create(x)), lanes);
            Assert.Equal(expected, lanes[0], 3.0 * unit);
        }

        TSimd.Store(VectorMath<V, TSimd>.Tanh(TSimd.Create(-1e30f)), lanes);
        Assert.Equal(-1, lanes[0]);
    }

    private static void ExpIsExact<V, TSimd>()
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        for (var i = -87_000; i <= 88_000; i += 7)
        {
            var x = i * 1e-3f;
            var expected = Math.Exp(x);
            var unit = MathF.BitIncrement((float)expected) - (float)expected;
            Assert.Equal(expected, Exp<V, TSimd>(x), 2.0 * unit);
        }
    }

    private static void Saturates<V, TSimd>()
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        Assert.True(float.IsNaN(Exp<V, TSimd>(float.NaN)));
        Assert.InRange(Exp<V, TSimd>(float.NegativeInfinity), 0, 2e-38f);
        Assert.InRange(Exp<V, TSimd>(1000), 2e38f, float.MaxValue);
        Assert.Equal(1, Exp<V, TSimd>(0));
    }

    private static float Exp<V, TSimd>(float x)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = stackalloc float[16];
        TSimd.Store(VectorMath<V, TSimd>.Exp(TSimd.Create(x)), lanes);
        for (var lane = 1; lane < TSimd.Lanes; lane++)
        {
            Assert.Equal(lanes[0], lanes[lane]);
        }

        return lanes[0];
    }
}
