using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <content>Products of integers.</content>
internal readonly unsafe partial struct Simd512
{
    /// <summary>Those of .NET have 256 bits.</summary>
    public static bool HasQuads => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> EvenBytes(Vector512<float> words) => (words.AsUInt32() & Vector512.Create(0x00FF_00FFu)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> OddBytes(Vector512<float> words) => (words.AsUInt16() >>> 8).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SignedEvenBytes(Vector512<float> words) => ((words.AsInt16() << 8) >> 8).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SignedOddBytes(Vector512<float> words) => (words.AsInt16() >> 8).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Nibbles(Vector512<float> words, int shift)
    {
        var halves = shift == 0 ? words.AsUInt16() : words.AsUInt16() >>> shift;
        return (shift == 12 ? halves : halves & Vector512.Create((ushort)15)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftHalves(Vector512<float> words, int shift) => (words.AsUInt16() >>> shift).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SplitNibbles(Vector512<float> words, int shift, Vector512<float> high, int highShift, int highBits)
    {
        var halves = high.AsUInt16();
        halves = highShift > 4 ? halves >>> (highShift - 4) : highShift < 4 ? halves << (4 - highShift) : halves;
        halves &= Vector512.Create((ushort)(((1 << highBits) - 1) << 4));
        return (Nibbles(words, shift).AsUInt16() | halves).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AddPairs(Vector512<float> words, int x, Vector512<float> sums) =>
        AddPairs(words, Vector512.Create(x).AsSingle(), sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AddPairs(Vector512<float> words, Vector512<float> others, Vector512<float> sums) =>
        Avx512BW.IsSupported
            ? (sums.AsInt32() + Avx512BW.MultiplyAddAdjacent(words.AsInt16(), others.AsInt16())).AsSingle()
            : Vector512.Create(
                Simd256.AddPairs(words.GetLower(), others.GetLower(), sums.GetLower()),
                Simd256.AddPairs(words.GetUpper(), others.GetUpper(), sums.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SubtractIntegers(Vector512<float> sums, Vector512<float> others) =>
        (sums.AsInt32() - others.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Rounded(Vector512<float> sums) => Vector512.ConvertToSingle(sums.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AddQuads(Vector512<float> words, int x, Vector512<float> sums) => Vector512.Create(
        Simd256.AddQuads(words.GetLower(), x, sums.GetLower()), Simd256.AddQuads(words.GetUpper(), x, sums.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> WithoutZeros(Vector512<float> sums, Vector512<float> zeros, int total) =>
        Vector512.ConvertToSingle(sums.AsInt32() - (Vector512.ConvertToInt32Native(zeros) * Vector512.Create(total)));
}
