using ILGPU;
using ILGPU.IR.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Intrinsics;

/// <summary>Arithmetic of kernels. Methods marked as intrinsics are one instruction on devices (<see cref="IntrinsicTable"/>); their bodies
/// are the reference, and what the interpreter runs. All others are written in them.</summary>
/// <remarks>Nothing here is fused that is not written as <see cref="Fma"/>, so that a row has the same bits whatever the compiler does
/// around it.</remarks>
internal static class Native
{
    /// <summary>a·b + c, rounded once.</summary>
    [IntrinsicImplementation]
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    /// <summary>Nearest integer, ties to even, of values below 2²² in magnitude.</summary>
    public static float Round(float value) => value + 12582912f - 12582912f;

    /// <summary>eˣ within 2 units in the last place for x in [−87.3, 88.3]; beyond, the value at the bound. NaN stays NaN.</summary>
    /// <remarks>The steps of the CPU's <c>VectorMath.Exp</c>: x = n·ln 2 + r with |r| ≤ ln 2 / 2, the polynomial of Cephes' expf.</remarks>
    public static float Exp(float x)
    {
        x = x < -87.3f ? -87.3f : x;
        x = x > 88.3f ? 88.3f : x;
        var n = Round(x * 1.44269504f);
        var r = Fma(n, -0.693359375f, x);
        r = Fma(n, 2.12194440e-4f, r);
        var p = Fma(1.9875691500e-4f, r, 1.3981999507e-3f);
        p = Fma(p, r, 8.3334519073e-3f);
        p = Fma(p, r, 4.1665795894e-2f);
        p = Fma(p, r, 1.6666665459e-1f);
        p = Fma(p, r, 5.0000001201e-1f);
        p = Fma(r * r, p, r + 1f);
        return p * Interop.IntAsFloat((uint)(((int)n + 127) << 23));
    }

    /// <summary>eˣ of a number that is at most 0, by the very steps of the engine's <c>LogitMath.Exp</c>: the same bits. What would be
    /// subnormal is 0.</summary>
    public static float ExpOfNegative(float x)
    {
        if (!(x >= -87.33654f))
        {
            return 0f;
        }

        var shifted = Fma(x, 1.44269504f, 12582912f);
        var n = shifted - 12582912f;
        var r = Fma(n, -0.693359375f, x);
        r = Fma(n, 2.12194440e-4f, r);
        var p = Fma(r, 1.9875691500e-4f, 1.3981999507e-3f);
        p = Fma(p, r, 8.3334519073e-3f);
        p = Fma(p, r, 4.1665795894e-2f);
        p = Fma(p, r, 1.6666665459e-1f);
        p = Fma(p, r, 5.0000001201e-1f);
        p = Fma(p, r * r, r) + 1f;
        return p * Interop.IntAsFloat((Interop.FloatAsInt(shifted) + 127u) << 23);
    }

    /// <summary>a / b rounded as IEEE says, in whole numbers: OpenCL's own division may be off by 2.5 units in the last place.</summary>
    /// <param name="a">Above 0.</param>
    /// <param name="b">Above 0, finite, not subnormal.</param>
    public static float Divide(float a, float b)
    {
        var bits = Interop.FloatAsInt(a);
        if (bits >= 0x7f800000u)
        {
            return a;
        }

        var exponent = (int)(bits >> 23);
        var mantissa = bits & 0x7fffffu;
        if (exponent != 0)
        {
            mantissa |= 0x800000u;
        }
        else
        {
            for (exponent = 1; mantissa < 0x800000u; exponent--)
            {
                mantissa <<= 1;
            }
        }

        var divisorBits = Interop.FloatAsInt(b);
        ulong divisor = (divisorBits & 0x7fffffu) | 0x800000u;
        var dividend = (ulong)mantissa << 32;
        var quotient = dividend / divisor;
        var isExact = quotient * divisor == dividend;
        exponent += 127 - (int)(divisorBits >> 23);
        if (quotient < 0x100000000UL)
        {
            quotient <<= 1;
            exponent--;
        }

        if (exponent >= 255)
        {
            return float.PositiveInfinity;
        }

        // 33 bits, of which 24 stay; of a subnormal result fewer.
        var dropped = exponent > 0 ? 9 : 10 - exponent;
        if (dropped > 40)
        {
            return 0f;
        }

        var kept = quotient >> dropped;
        var rest = quotient - (kept << dropped);
        var half = 1UL << (dropped - 1);
        if (rest > half || (rest == half && (!isExact || (kept & 1UL) != 0)))
        {
            kept++;
        }

        return Interop.IntAsFloat((exponent > 0 ? (uint)(exponent - 1) << 23 : 0u) + (uint)kept);
    }

    /// <summary>Whether a float is NaN, by its bits.</summary>
    public static bool IsNaN(float value) => (Interop.FloatAsInt(value) & 0x7fffffffu) > 0x7f800000u;

    /// <summary>1 / (1 + e⁻ˣ).</summary>
    public static float Sigmoid(float x) => 1f / (1f + Exp(-x));

    /// <summary>tanh x within 3 units in the last place, by the steps of the CPU's <c>VectorMath.Tanh</c>.</summary>
    public static float Tanh(float x)
    {
        var magnitude = Abs(x);
        if (magnitude >= 0.625f)
        {
            var far = 1f - 2f / (Exp(2f * magnitude) + 1f);
            return x < 0 ? -far : far;
        }

        var square = x * x;
        var p = Fma(-5.70498872745e-3f, square, 2.06390887954e-2f);
        p = Fma(p, square, -5.37397155531e-2f);
        p = Fma(p, square, 1.33314422036e-1f);
        p = Fma(p, square, -3.33332819422e-1f);
        return Fma(p * square, x, x);
    }

    /// <summary>Φ(x), the normal distribution function, by the steps of the CPU's <c>VectorMath.NormalCdf</c>.</summary>
    public static float NormalCdf(float x)
    {
        var z = Abs(x) * 0.70710678f;
        var t = 1f / Fma(z, 0.5f, 1f);
        var p = Fma(0.17087277f, t, -0.82215223f);
        p = Fma(p, t, 1.48851587f);
        p = Fma(p, t, -1.13520398f);
        p = Fma(p, t, 0.27886807f);
        p = Fma(p, t, -0.18628806f);
        p = Fma(p, t, 0.09678418f);
        p = Fma(p, t, 0.37409196f);
        p = Fma(p, t, 1.00002368f);
        p = Fma(p, t, -1.26551223f);
        var tail = 0.5f * t * Exp(p - z * z);
        return x < 0 ? tail : 1f - tail;
    }

    public static float Abs(float x) => Interop.IntAsFloat(Interop.FloatAsInt(x) & 0x7fffffffu);

    public static float Max(float a, float b) => a > b ? a : b;

    public static int Min(int a, int b) => a < b ? a : b;

    public static int Max(int a, int b) => a > b ? a : b;

    /// <summary>bf16 in the lower half of a word.</summary>
    public static float FromBF16(uint bits) => Interop.IntAsFloat(bits << 16);

    /// <summary>To the nearest bf16, ties to even; NaN stays NaN.</summary>
    public static uint ToBF16(float value)
    {
        var bits = Interop.FloatAsInt(value);
        return (bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    }

    /// <summary><see cref="ToBF16"/> of two, the first in the lower half.</summary>
    [IntrinsicImplementation]
    public static uint ToBF16Pair(float low, float high) => PortableToBF16Pair(low, high);

    /// <summary><see cref="ToBF16Pair"/> without an instruction for it.</summary>
    public static uint PortableToBF16Pair(float low, float high) => ToBF16(low) | (ToBF16(high) << 16);

    /// <summary><see cref="ToF16"/> of two, the first in the lower half.</summary>
    [IntrinsicImplementation]
    public static uint ToF16Pair(float low, float high) => PortableToF16Pair(low, high);

    /// <summary><see cref="ToF16Pair"/> without an instruction for it.</summary>
    public static uint PortableToF16Pair(float low, float high) => ToF16(low) | (ToF16(high) << 16);

    /// <summary>The bits of a mask, and some more (lop3).</summary>
    [IntrinsicImplementation]
    public static uint MaskOr(uint value, uint mask, uint bits) => PortableMaskOr(value, mask, bits);

    /// <summary><see cref="MaskOr"/> in two instructions.</summary>
    public static uint PortableMaskOr(uint value, uint mask, uint bits) => (value & mask) | bits;

    /// <summary>A byte of a word before three that are 0 (prmt).</summary>
    /// <param name="index">Which byte: a constant.</param>
    [IntrinsicImplementation]
    public static uint ByteOnTop(uint word, int index) => PortableByteOnTop(word, index);

    /// <summary><see cref="ByteOnTop"/> in two instructions.</summary>
    public static uint PortableByteOnTop(uint word, int index) => (word >> (8 * index)) << 24;

    /// <summary>A byte of a word behind three others (prmt).</summary>
    /// <param name="index">Which byte: a constant.</param>
    /// <param name="upper">Has them, above a byte that is 0.</param>
    [IntrinsicImplementation]
    public static uint ByteBehind(uint word, int index, uint upper) => PortableByteBehind(word, index, upper);

    /// <summary><see cref="ByteBehind"/> in three instructions.</summary>
    public static uint PortableByteBehind(uint word, int index, uint upper) => ((word >> (8 * index)) & 255u) | upper;

    /// <summary>a + b of two bf16 each, the first in the lower half of a word.</summary>
    [IntrinsicImplementation]
    public static uint AddBF16Pairs(uint a, uint b) => PortableAddBF16Pairs(a, b);

    /// <summary>a·b of two bf16 each.</summary>
    [IntrinsicImplementation]
    public static uint MultiplyBF16Pairs(uint a, uint b) => PortableMultiplyBF16Pairs(a, b);

    /// <summary>a + b of two fp16 each.</summary>
    [IntrinsicImplementation]
    public static uint AddF16Pairs(uint a, uint b) => PortableAddF16Pairs(a, b);

    /// <summary>a·b of two fp16 each.</summary>
    [IntrinsicImplementation]
    public static uint MultiplyF16Pairs(uint a, uint b) => PortableMultiplyF16Pairs(a, b);

    /// <summary><see cref="AddBF16Pairs"/> by way of fp32: rounded once where that holds the sum.</summary>
    public static uint PortableAddBF16Pairs(uint a, uint b) =>
        PortableToBF16Pair(FromBF16(a) + FromBF16(b), FromBF16(a >> 16) + FromBF16(b >> 16));

    /// <summary><see cref="MultiplyBF16Pairs"/> by way of fp32, which holds the product.</summary>
    public static uint PortableMultiplyBF16Pairs(uint a, uint b) =>
        PortableToBF16Pair(FromBF16(a) * FromBF16(b), FromBF16(a >> 16) * FromBF16(b >> 16));

    /// <summary><see cref="AddF16Pairs"/> by way of fp32: rounded once where that holds the sum.</summary>
    public static uint PortableAddF16Pairs(uint a, uint b) => PortableToF16Pair(
        PortableFromF16(a & 0xffffu) + PortableFromF16(b & 0xffffu), PortableFromF16(a >> 16) + PortableFromF16(b >> 16));

    /// <summary><see cref="MultiplyF16Pairs"/> by way of fp32, which holds the product.</summary>
    public static uint PortableMultiplyF16Pairs(uint a, uint b) => PortableToF16Pair(
        PortableFromF16(a & 0xffffu) * PortableFromF16(b & 0xffffu), PortableFromF16(a >> 16) * PortableFromF16(b >> 16));

    /// <summary>IEEE half in the lower half of a word: exact, with subnormals, infinities and NaN.</summary>
    [IntrinsicImplementation]
    public static float FromF16(uint bits) => PortableFromF16(bits);

    /// <summary><see cref="FromF16"/> without an instruction for it.</summary>
    public static float PortableFromF16(uint bits)
    {
        var magnitude = bits & 0x7fffu;
        var value = magnitude >= 0x7c00u
            ? Interop.IntAsFloat(0x7f800000u | ((magnitude & 0x3ffu) << 13))
            : Interop.IntAsFloat(magnitude << 13) * 5.192296858534828e+33f;
        return (bits & 0x8000u) != 0 ? -value : value;
    }

    /// <summary>To the nearest half, ties to even; what is too large becomes an infinity.</summary>
    [IntrinsicImplementation]
    public static uint ToF16(float value) => PortableToF16(value);

    /// <summary><see cref="ToF16"/> without an instruction for it.</summary>
    public static uint PortableToF16(float value)
    {
        var bits = Interop.FloatAsInt(value);
        var sign = (bits >> 16) & 0x8000u;
        var magnitude = bits & 0x7fffffffu;
        if (magnitude > 0x7f800000u)
        {
            return sign | 0x7e00u;
        }

        if (magnitude >= 0x477ff000u)
        {
            return sign | 0x7c00u;
        }

        // Below the smallest normal half, codes are multiples of 2⁻²⁴.
        return sign | (magnitude < 0x38800000u
            ? (uint)Round(Interop.IntAsFloat(magnitude) * 16777216f)
            : (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13);
    }

    /// <summary>OCP E4M3: exact, with subnormals; 0x7F and 0xFF are NaN. See <see cref="Fp8"/>.</summary>
    public static float FromE4M3(uint code)
    {
        var magnitude = code & 0x7fu;
        var value = magnitude == 0x7fu ? float.NaN : Interop.IntAsFloat(magnitude << 20) * 1.329227995784916e+36f;
        return (code & 0x80u) != 0 ? -value : value;
    }

    /// <summary>OCP E5M2: exact, with subnormals and infinity.</summary>
    public static float FromE5M2(uint code)
    {
        var magnitude = code & 0x7fu;
        var value = magnitude > 0x7cu ? float.NaN
            : magnitude == 0x7cu ? float.PositiveInfinity
            : Interop.IntAsFloat(magnitude << 21) * 5.192296858534828e+33f;
        return (code & 0x80u) != 0 ? -value : value;
    }

    /// <summary>As <see cref="Fp8.ToE4M3"/>.</summary>
    public static uint ToE4M3(float value) => ToFp8(value, 20, 120, 0.015625f, 8f, 448f, 0x7eu);

    /// <summary>As <see cref="Fp8.ToE5M2"/>.</summary>
    public static uint ToE5M2(float value) => ToFp8(value, 21, 112, 6.103515625e-5f, 4f, 57344f, 0x7bu);

    private static uint ToFp8(float value, int dropped, int exponents, float smallestNormal, float steps, float max, uint maxCode)
    {
        var bits = Interop.FloatAsInt(value);
        var sign = (bits >> 24) & 0x80u;
        var magnitude = Interop.IntAsFloat(bits & 0x7fffffffu);
        if ((bits & 0x7fffffffu) > 0x7f800000u)
        {
            return sign | 0x7fu;
        }

        if (magnitude >= max)
        {
            return sign | maxCode;
        }

        if (magnitude < smallestNormal)
        {
            return sign | (uint)Round(magnitude / smallestNormal * steps);
        }

        var rounded = (bits & 0x7fffffffu) + ((1u << (dropped - 1)) - 1u) + ((bits >> dropped) & 1u);
        return sign | ((rounded - ((uint)exponents << 23)) >> dropped);
    }
}
