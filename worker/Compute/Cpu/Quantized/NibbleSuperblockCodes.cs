using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="SuperblockMatrix"/> of 4 bits; the table has the heads of superblocks, see <see cref="SuperblockPacker"/>.</summary>
internal readonly unsafe struct NibbleSuperblockCodes : ISegmentCodes
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
        SuperblockCodes<FourBits>.ReadHead<V, TSimd>((uint*)table, group, out scale, out var minimum);
        SuperblockCodes<FourBits>.ReadHead<V, TSimd>((uint*)table + TSimd.Lanes, group, out nextScale, out var nextMinimum);
        var none = TSimd.Create(0);
        (offset, nextOffset) = (TSimd.Subtract(none, minimum), TSimd.Subtract(none, nextMinimum));
    }
}
