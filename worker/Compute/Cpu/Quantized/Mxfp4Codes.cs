using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Mxfp4Matrix"/>; the table has a byte of exponent for each group and output.</summary>
/// <remarks>Codes are looked up a whole vector at a time, as bytes of twice their value, low halves of bytes first. Then even and odd bytes
/// become numbers of 16 bits: where places lie in a word follows from that.</remarks>
internal readonly unsafe struct Mxfp4Codes : ISegmentCodes
{
    public static int PerWord => 8;

    public static bool AreIntegers => true;

    public static bool HasOffsets => false;

    public static int Steps => 4;

    /// <summary>The bit where a code begins in its word.</summary>
    public static int ShiftOf(int place) => 8 * (place % 2) + 4 * (place / 2 % 2) + 16 * (place / 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Half<V, TSimd>(V words, int half)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.TwiceE2M1(words, 4 * half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V half, int step)
        where V : unmanaged
        where TSimd : ISimd<V> => step % 2 == 0 ? TSimd.SignedEvenBytes(half) : TSimd.SignedOddBytes(half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadGroup<V, TSimd>(byte* table, int group, out V scale, out V nextScale, out V offset, out V nextOffset)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var row = table + (long)group * 2 * TSimd.Lanes;
        var half = TSimd.Create(0.5f);
        scale = TSimd.Multiply(TSimd.LoadE8M0(row), half);
        nextScale = TSimd.Multiply(TSimd.LoadE8M0(row + TSimd.Lanes), half);
        offset = nextOffset = TSimd.Create(0);
    }
}
