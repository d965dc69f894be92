using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Products of integers.</content>
internal readonly unsafe partial struct Simd256
{
    public static bool HasQuads => AvxVnni.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> EvenBytes(Vector256<float> words) => (words.AsUInt32() & Vector256.Create(0x00FF_00FFu)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> OddBytes(Vector256<float> words) => (words.AsUInt16() >>> 8).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SignedEvenBytes(Vector256<float> words) => ((words.AsInt16() << 8) >> 8).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SignedOddBytes(Vector256<float> words) => (words.AsInt16() >> 8).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nibbles(Vector256<float> words, int shift)
    {
        var halves = shift == 0 ? words.AsUInt16() : words.AsUInt16() >>> shift;
        return (shift == 12 ? halves : halves & Vector256.Create((ushort)15)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftHalves(Vector256<float> words, int shift) => (words.AsUInt16() >>> shift).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SplitNibbles(Vector256<float> words, int shift, Vector256<float> high, int highShift, int highBits)
    {
        var halves = high.AsUInt16();
        halves = highShift > 4 ? halves >>> (highShift - 4) : highShift < 4 ? halves << (4 - highShift) : halves;
        halves &= Vector256.Create((ushort)(((1 << highBits) - 1) << 4));
        return (Nibbles(words, shift).AsUInt16() | halves).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> AddPairs(Vector256<float> words, int x, Vector256<float> sums) =>
        AddPairs(words, Vector256.Create(x).AsSingle(), sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> AddPairs(Vector256<float> words, Vector256<float> others, Vector256<float> sums)
    {
        var (a, b) = (words.AsInt16(), others.AsInt16());
        return AvxVnni.IsSupported
            ? AvxVnni.MultiplyWideningAndAdd(sums.AsInt32(), a, b).AsSingle()
            : (sums.AsInt32() + (Avx2.IsSupported ? Avx2.MultiplyAddAdjacent(a, b) : Dots(a, b))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SubtractIntegers(Vector256<float> sums, Vector256<float> others) =>
        (sums.AsInt32() - others.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Rounded(Vector256<float> sums) => Vector256.ConvertToSingle(sums.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> AddQuads(Vector256<float> words, int x, Vector256<float> sums)
    {
        var (a, b) = (words.AsByte(), Vector256.Create(x).AsSByte());
        if (AvxVnni.IsSupported)
        {
            return AvxVnni.MultiplyWideningAndAdd(sums.AsInt32(), a, b).AsSingle();
        }

        var (a0, a1) = Vector256.Widen(a);
        var (b0, b1) = Vector256.Widen(b);
        var (low, high) = (Dots(a0.AsInt16(), b0), Dots(a1.AsInt16(), b1));
        return (sums.AsInt32() + Vector256.Create(SumPairs(low), SumPairs(high))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> WithoutZeros(Vector256<float> sums, Vector256<float> zeros, int total) =>
        Vector256.ConvertToSingle(sums.AsInt32() - (Vector256.ConvertToInt32Native(zeros) * Vector256.Create(total)));

    /// <summary>Sums of the products of neighbours.</summary>
    private static Vector256<int> Dots(Vector256<short> a, Vector256<short> b)
    {
        var (a0, a1) = Vector256.Widen(a);
        var (b0, b1) = Vector256.Widen(b);
        return Vector256.Create(SumPairs(a0 * b0), SumPairs(a1 * b1));
    }

    private static Vector128<int> SumPairs(Vector256<int> a) =>
        Vector128.Create(a[0] + a[1], a[2] + a[3], a[4] + a[5], a[6] + a[7]);
}
