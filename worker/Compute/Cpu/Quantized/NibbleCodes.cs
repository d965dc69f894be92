using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GroupedMatrix"/> of 4 bits; the table has a pair of weights' place for each group: scales in that of the even k,
/// zeros in that of the odd.</summary>
internal readonly unsafe struct NibbleCodes<TTable> : ISegmentCodes
    where TTable : IPanelFormat
{
    public static int PerWord => PackedNibbles.PerWord;

    public static bool AreIntegers => true;

    public static bool HasOffsets => true;

    public static int Steps => PackedNibbles.Steps;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V half, int step)
        where V : unmanaged
        where TSimd : ISimd<V> => PackedNibbles.Weights<V, TSimd>(half, step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadGroup<V, TSimd>(byte* table, int group, out V scale, out V nextScale, out V offset, out V nextOffset)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var row = table + (long)group * 2 * TSimd.Lanes * TTable.PairBytes;
        (scale, nextScale) = (TTable.Even<V, TSimd>(row, 0), TTable.Even<V, TSimd>(row, 1));
        var none = TSimd.Create(0);
        offset = TSimd.Multiply(TSimd.Subtract(none, TTable.Odd<V, TSimd>(row, 0)), scale);
        nextOffset = TSimd.Multiply(TSimd.Subtract(none, TTable.Odd<V, TSimd>(row, 1)), nextScale);
    }
}
