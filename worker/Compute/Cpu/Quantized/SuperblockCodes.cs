using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="SuperblockMatrix"/>; the table has the heads of superblocks. See <see cref="SuperblockPacker"/> for the
/// picture.</summary>
internal readonly unsafe struct SuperblockCodes<TBits> : IPanelCodes
    where TBits : ICodeBits
{
    private const int PerWord = 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<V, TSimd>(byte* table, uint* codes, PanelGroups groups, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        var end = firstK + count;
        for (var k = firstK; k < end;)
        {
            var group = groups.Of(k);
            ReadHead<V, TSimd>((uint*)table, group, out var scale, out var minimum);
            ReadHead<V, TSimd>((uint*)table + lanes, group, out var nextScale, out var nextMinimum);
            var groupEnd = Math.Min(end, groups.EndOf(k));
            while (k < groupEnd)
            {
                var run = codes + (long)(k / SuperblockPacker.Run) * TBits.Count * 2 * lanes;
                var place = k % SuperblockPacker.Run;
                if (place % PerWord == 0 && k + PerWord <= groupEnd)
                {
                    DecodeWord<V, TSimd>(run, place, scale, minimum, target);
                    DecodeWord<V, TSimd>(run + lanes, place, nextScale, nextMinimum, target + lanes);
                    k += PerWord;
                    target += PerWord * 2 * lanes;
                    continue;
                }

                var low = run + place / PerWord * 2 * lanes;
                DecodeOne<V, TSimd>(low, place % PerWord * 4, High(run, place, lanes), HighShift(place), scale, minimum, target);
                DecodeOne<V, TSimd>(
                    low + lanes, place % PerWord * 4, High(run, place, lanes) + lanes, HighShift(place), nextScale, nextMinimum,
                    target + lanes);
                k++;
                target += 2 * lanes;
            }
        }
    }

    /// <summary>Scale and minimum of a group in the outputs that <paramref name="table"/> begins with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ReadHead<V, TSimd>(uint* table, int group, out V scale, out V minimum)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        var (superblock, place) = Math.DivRem(group, SuperblockMatrix.GroupsOf(TBits.Count));
        var head = table + (long)superblock * SuperblockMatrix.HeadWords(TBits.Count) * width;
        if (TBits.Count == 6)
        {
            var code = TSimd.Codes(head + (1 + place / 4) * width, place % 4 * 8, 255);
            scale = TSimd.Multiply(TSimd.LowF16(head), TSimd.Subtract(code, TSimd.Create(128)));
            minimum = TSimd.Multiply(scale, TSimd.Create(SuperblockMatrix.SixBitsZero));
            return;
        }

        var high = head + 3 * width;
        scale = TSimd.Multiply(TSimd.LowF16(head), TSimd.SplitCodes(head + width, 4 * place, high, 2 * place, 3));
        minimum = TSimd.Multiply(TSimd.HighF16(head), TSimd.SplitCodes(head + 2 * width, 4 * place, high, 16 + 2 * place, 3));
    }

    /// <summary>All codes of a vector of words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeWord<V, TSimd>(uint* run, int place, V scale, V minimum, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        var low = run + place / PerWord * width;
        var high = High(run, place, TSimd.Lanes);
        var shift = HighShift(place);
        var step = TBits.Count - 4;
        DecodeOne<V, TSimd>(low, 0, high, shift, scale, minimum, target);
        DecodeOne<V, TSimd>(low, 4, high, shift + step, scale, minimum, target + width);
        DecodeOne<V, TSimd>(low, 8, high, shift + 2 * step, scale, minimum, target + 2 * width);
        DecodeOne<V, TSimd>(low, 12, high, shift + 3 * step, scale, minimum, target + 3 * width);
        DecodeOne<V, TSimd>(low, 16, high, shift + 4 * step, scale, minimum, target + 4 * width);
        DecodeOne<V, TSimd>(low, 20, high, shift + 5 * step, scale, minimum, target + 5 * width);
        DecodeOne<V, TSimd>(low, 24, high, shift + 6 * step, scale, minimum, target + 6 * width);
        DecodeOne<V, TSimd>(low, 28, high, shift + 7 * step, scale, minimum, target + 7 * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeOne<V, TSimd>(uint* low, int shift, uint* high, int highShift, V scale, V minimum, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var code = TBits.Count == 4
            ? TSimd.Codes(low, shift, 15)
            : TSimd.SplitCodes(low, shift, high, highShift, (1u << (TBits.Count - 4)) - 1);
        TSimd.Store(TSimd.Subtract(TSimd.Multiply(scale, code), minimum), target);
    }

    private static uint* High(uint* run, int place, int lanes) =>
        run + (long)(SuperblockPacker.LowWords + place * (TBits.Count - 4) / 32) * 2 * lanes;

    private static int HighShift(int place) => place * (TBits.Count - 4) % 32;
}
