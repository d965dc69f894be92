using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>8 floats at a time: AVX2 with FMA.</summary>
internal readonly unsafe partial struct Simd256 : ISimd<Vector256<float>>
{
    public static int Lanes => 8;

    public static int MaxRows => 6;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Create(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> vector, float* destination) => vector.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
    Vector256.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) =>
    Avx.IsSupported ? Avx.Min(a, b) : Vector256.ConditionalSelect(Vector256.LessThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) =>
    Avx.IsSupported ? Avx.Max(a, b) : Vector256.ConditionalSelect(Vector256.GreaterThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Abs(Vector256<float> a) => Vector256.Abs(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Round(Vector256<float> a) => Vector256.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SelectNegative(Vector256<float> x, Vector256<float> negative, Vector256<float> other) =>
        Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), negative, other);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> PowerOfTwo(Vector256<float> n) =>
        ((Vector256.ConvertToInt32Native(n) + Vector256.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> a)
    {
        var v128 = a.GetLower() + a.GetUpper();
        v128 += Vector128.Shuffle(v128, Vector128.Create(2, 3, 0, 1));
        return v128[0] + v128[1];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector256<float> a)
    {
        var v128 = Vector128.Max(a.GetLower(), a.GetUpper());
        v128 = Vector128.Max(v128, Vector128.Shuffle(v128, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(v128[0], v128[1]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LowBf16(uint* words) => (Vector256.Load(words) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> HighBf16(uint* words) => (Vector256.Load(words) & Vector256.Create(0xFFFF_0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LowF16(uint* words) => WidenHighHalves(Vector256.Load((int*)words) << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> HighF16(uint* words) => WidenHighHalves(Vector256.Load((int*)words));

    /// <summary>An F16 shifted down by three sits where an F32 has its fields, with the exponent 112 too small; the multiplication
    /// adds that and normalizes subnormals. Exact for finite values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> WidenHighHalves(Vector256<int> halves) =>
        ((halves >> 3) & Vector256.Create(unchecked((int)0x8FFF_E000))).AsSingle()
            * Vector256.Create(BitConverter.Int32BitsToSingle((127 + 112) << 23));
}
