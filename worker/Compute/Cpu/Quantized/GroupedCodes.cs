using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GroupedMatrix"/>; the table has a pair of weights' place for each group: scales in that of the even k, zeros in that
/// of the odd.</summary>
internal readonly unsafe struct GroupedCodes<TBits, TTable> : IPanelCodes
    where TBits : ICodeBits
    where TTable : IPanelFormat
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<V, TSimd>(byte* table, uint* codes, PanelGroups groups, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        var perWord = 32 / TBits.Count;
        var end = firstK + count;
        for (var k = firstK; k < end;)
        {
            var row = table + (long)groups.Of(k) * 2 * lanes * TTable.PairBytes;
            V scale = TTable.Even<V, TSimd>(row, 0), nextScale = TTable.Even<V, TSimd>(row, 1);
            V zero = TTable.Odd<V, TSimd>(row, 0), nextZero = TTable.Odd<V, TSimd>(row, 1);
            var groupEnd = Math.Min(end, groups.EndOf(k));
            while (k < groupEnd)
            {
                var words = codes + (long)(k / perWord) * 2 * lanes;
                var first = k % perWord;
                if (first == 0 && k + perWord <= groupEnd)
                {
                    DecodeWord<V, TSimd>(words, zero, scale, target);
                    DecodeWord<V, TSimd>(words + lanes, nextZero, nextScale, target + lanes);
                    k += perWord;
                    target += perWord * 2 * lanes;
                    continue;
                }

                DecodeOne<V, TSimd>(words, TBits.Count * first, zero, scale, target);
                DecodeOne<V, TSimd>(words + lanes, TBits.Count * first, nextZero, nextScale, target + lanes);
                k++;
                target += 2 * lanes;
            }
        }
    }

    /// <summary>All codes of a vector of words; unrolled, for shifts by constants take one instruction less.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeWord<V, TSimd>(uint* words, V zero, V scale, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        DecodeOne<V, TSimd>(words, 0, zero, scale, target);
        DecodeOne<V, TSimd>(words, TBits.Count, zero, scale, target + width);
        DecodeOne<V, TSimd>(words, 2 * TBits.Count, zero, scale, target + 2 * width);
        DecodeOne<V, TSimd>(words, 3 * TBits.Count, zero, scale, target + 3 * width);
        if (TBits.Count == 4)
        {
            DecodeOne<V, TSimd>(words, 16, zero, scale, target + 4 * width);
            DecodeOne<V, TSimd>(words, 20, zero, scale, target + 5 * width);
            DecodeOne<V, TSimd>(words, 24, zero, scale, target + 6 * width);
            DecodeOne<V, TSimd>(words, 28, zero, scale, target + 7 * width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeOne<V, TSimd>(uint* words, int shift, V zero, V scale, float* target)
        where V : unmanaged
        where TSimd : ISimd<V> =>
        TSimd.Store(TSimd.Multiply(TSimd.Subtract(TSimd.Codes(words, shift, (1u << TBits.Count) - 1), zero), scale), target);
}
