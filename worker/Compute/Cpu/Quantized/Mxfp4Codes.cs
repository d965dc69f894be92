using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Mxfp4Matrix"/>; the table has a byte of exponent for each group and output.</summary>
/// <remarks>Codes are looked up a whole vector at a time, as bytes of twice their value. So the first four of a word are in the low halves
/// of its bytes, the others in the high halves.</remarks>
internal readonly unsafe struct Mxfp4Codes : ISegmentCodes
{
    public static int PerWord => 8;

    public static bool HasOffsets => false;

    /// <summary>The bit where a code begins in its word.</summary>
    public static int ShiftOf(int place) => 8 * (place % 4) + place / 4 * 4;

    public static float Factor(int place) => 1f / (1 << 24);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Half<V, TSimd>(V words, int half)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.TwiceE2M1(words, 4 * half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V half, int place)
        where V : unmanaged
        where TSimd : ISimd<V> => TSimd.TopBytes(half, 24 - 8 * (place % 4));

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
