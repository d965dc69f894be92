using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="SuperblockMatrix"/>; the table has the heads of superblocks, see <see cref="SuperblockPacker"/>.</summary>
internal readonly unsafe struct SuperblockCodes<TBits> : ISegmentCodes
    where TBits : ICodeBits
{
    public static int PerWord => PackedNibbles.PerWord;

    public static bool AreIntegers => true;

    public static bool HasOffsets => TBits.Count < 6;

    public static int HighBits => TBits.Count - 4;

    /// <summary>Codes of 6 bits are all too large by the same.</summary>
    public static int Middle
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TBits.Count == 6 ? SuperblockMatrix.SixBitsZero : 0;
    }

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
        ReadHead<V, TSimd>((uint*)table, group, out scale, out offset);
        ReadHead<V, TSimd>((uint*)table + TSimd.Lanes, group, out nextScale, out nextOffset);
    }

    /// <summary>A group of the outputs that <paramref name="table"/> begins with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReadHead<V, TSimd>(uint* table, int group, out V scale, out V offset)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        var (superblock, place) = Math.DivRem(group, SuperblockMatrix.GroupsOf(TBits.Count));
        var head = table + (long)superblock * SuperblockMatrix.HeadWords(TBits.Count) * width;
        offset = TSimd.Create(0);
        if (TBits.Count == 6)
        {
            var code = TSimd.Codes(head + (1 + place / 4) * width, place % 4 * 8, 255);
            scale = TSimd.Multiply(TSimd.LowF16(head), TSimd.Subtract(code, TSimd.Create(128)));
            return;
        }

        var high = head + 3 * width;
        var scaleCode = TSimd.SplitScales(head + width, 4 * place, high, 2 * place);
        var minimumCode = TSimd.SplitScales(head + 2 * width, 4 * place, high, 16 + 2 * place);
        scale = TSimd.Multiply(TSimd.LowF16(head), scaleCode);
        offset = TSimd.Subtract(offset, TSimd.Multiply(TSimd.HighF16(head), minimumCode));
    }
}
