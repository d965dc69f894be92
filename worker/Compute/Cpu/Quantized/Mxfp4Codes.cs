using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Mxfp4Matrix"/>; the table has a byte of exponent for each group and output.</summary>
internal readonly unsafe struct Mxfp4Codes : IPanelCodes
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
            var row = table + (long)groups.Of(k) * 2 * lanes;
            V scale = TSimd.LoadE8M0(row), nextScale = TSimd.LoadE8M0(row + lanes);
            var groupEnd = Math.Min(end, groups.EndOf(k));
            while (k < groupEnd)
            {
                var words = codes + (long)(k / PerWord) * 2 * lanes;
                var first = k % PerWord;
                if (first == 0 && k + PerWord <= groupEnd)
                {
                    DecodeWord<V, TSimd>(words, scale, target);
                    DecodeWord<V, TSimd>(words + lanes, nextScale, target + lanes);
                    k += PerWord;
                    target += PerWord * 2 * lanes;
                    continue;
                }

                TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 4 * first), scale), target);
                TSimd.Store(TSimd.Multiply(TSimd.E2M1(words + lanes, 4 * first), nextScale), target + lanes);
                k++;
                target += 2 * lanes;
            }
        }
    }

    /// <summary>All codes of a vector of words; unrolled, for shifts by constants take one instruction less.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeWord<V, TSimd>(uint* words, V scale, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 0), scale), target);
        TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 4), scale), target + width);
        TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 8), scale), target + 2 * width);
        TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 12), scale), target + 3 * width);
        TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 16), scale), target + 4 * width);
        TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 20), scale), target + 5 * width);
        TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 24), scale), target + 6 * width);
        TSimd.Store(TSimd.Multiply(TSimd.E2M1(words, 28), scale), target + 7 * width);
    }
}
