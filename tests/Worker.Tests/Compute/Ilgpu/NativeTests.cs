using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>The arithmetic of kernels, as the interpreter runs it, against the library's and the CPU backend's.</summary>
public sealed class NativeTests
{
    [Fact]
    public void Every_16_bit_float_is_widened_and_narrowed_exactly()
    {
        for (uint bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var half = (float)BitConverter.UInt16BitsToHalf((ushort)bits);
            var brain = BitConverter.UInt32BitsToSingle(bits << 16);
            Assert.Equal(half, Native.FromF16(bits));
            Assert.Equal(brain, Native.FromBF16(bits));
            Assert.True(float.IsNaN(half) ? float.IsNaN(Native.FromF16(Native.ToF16(half))) : bits == Native.ToF16(half), $"{bits:x4}");
            Assert.True(float.IsNaN(brain) ? float.IsNaN(Native.FromBF16(Native.ToBF16(brain))) : bits == Native.ToBF16(brain));
        }
    }

    [Fact]
    public void Every_fp8_code_is_decoded_and_every_float_near_one_encoded_as_on_the_CPU()
    {
        for (uint code = 0; code <= byte.MaxValue; code++)
        {
            Assert.Equal(Fp8.FromE4M3((byte)code), Native.FromE4M3(code));
            Assert.Equal(Fp8.FromE5M2((byte)code), Native.FromE5M2(code));
        }

        foreach (var value in Floats(200_000))
        {
            Assert.Equal(Fp8.ToE4M3(value), (byte)Native.ToE4M3(value));
            Assert.Equal(Fp8.ToE5M2(value), (byte)Native.ToE5M2(value));
        }
    }

    [Fact]
    public void Floats_are_narrowed_to_the_nearest_half_ties_to_even()
    {
        foreach (var value in Floats(200_000).Where(value => !float.IsNaN(value)))
        {
            Assert.Equal(BitConverter.HalfToUInt16Bits((Half)value), (ushort)Native.ToF16(value));
        }
    }

    [Fact]
    public void Exponentials_and_what_is_made_of_them_are_within_a_few_units_in_the_last_place()
    {
        for (var x = -87f; x < 88f; x += 0.0137f)
        {
            Near(Math.Exp(x), Native.Exp(x), 3e-7);
            Near(Math.Tanh(x), Native.Tanh(x), 4e-7);
            Near(1 / (1 + Math.Exp(-x)), Native.Sigmoid(x), 4e-7);
        }

        Assert.Equal(1f, Native.Exp(0));
        Assert.True(float.IsNaN(Native.Exp(float.NaN)));
    }

    private static void Near(double expected, float actual, double relative) =>
        Assert.True(Math.Abs(expected - actual) <= relative * Math.Abs(expected), $"{actual} for {expected}");

    /// <summary>Random bit patterns, and those around every boundary of an 8-bit type.</summary>
    private static IEnumerable<float> Floats(int count)
    {
        var random = new Random(8);
        for (var i = 0; i < count; i++)
        {
            yield return BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
            yield return (float)(random.NextDouble() * 2 - 1) * MathF.Pow(2, random.Next(-20, 18));
        }

        for (uint code = 0; code < byte.MaxValue; code++)
        {
            var middle = (Fp8.FromE4M3((byte)code) + Fp8.FromE4M3((byte)(code + 1))) / 2;
            yield return middle;
            yield return MathF.BitIncrement(middle);
            yield return MathF.BitDecrement(middle);
        }
    }
}
