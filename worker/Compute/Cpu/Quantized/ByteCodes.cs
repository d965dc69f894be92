using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GroupedMatrix"/> of 8 bits, as signed bytes: a zero, which is mostly 128, is then small beside the codes, and what
/// is subtracted at the end costs no digits. The table is that of <see cref="NibbleCodes{TTable}"/>.</summary>
internal readonly unsafe struct ByteCodes<TTable> : ISegmentCodes
    where TTable : IPanelFormat
{
    /// <summary>What a code is more than its byte.</summary>
    private const int Middle = 128;

    public static int PerWord => 4;

    public static bool AreIntegers => true;

    public static bool HasOffsets => true;

    public static int Steps => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weights<V, TSimd>(V half, int step)
        where V : unmanaged
        where TSimd : ISimd<V> => step == 0 ? TSimd.SignedEvenBytes(half) : TSimd.SignedOddBytes(half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadGroup<V, TSimd>(byte* table, int group, out V scale, out V nextScale, out V offset, out V nextOffset)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var row = table + (long)group * 2 * TSimd.Lanes * TTable.PairBytes;
        (scale, nextScale) = (TTable.Even<V, TSimd>(row, 0), TTable.Even<V, TSimd>(row, 1));
        var middle = TSimd.Create(Middle);
        offset = TSimd.Multiply(TSimd.Subtract(middle, TTable.Odd<V, TSimd>(row, 0)), scale);
        nextOffset = TSimd.Multiply(TSimd.Subtract(middle, TTable.Odd<V, TSimd>(row, 1)), nextScale);
    }
}
