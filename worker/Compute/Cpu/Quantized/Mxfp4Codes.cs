using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Mxfp4Matrix"/>; the table has a byte of exponent for each group and output.</summary>
internal readonly unsafe struct Mxfp4Codes : IPanelCodes
{
    private const int PerWord = 8;

    private const int PrefetchWords = 1024;

    public static bool MultipliesRow => true;

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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyRow<V, TSimd>(
        byte* panel, byte* next, long tableBytes, PanelGroups groups, int inputs, float* x, float* start, float* nextStart, float* result,
        float* nextResult)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        var codes = (uint*)(panel + tableBytes);
        var nextCodes = (uint*)(next + tableBytes);
        V a = TSimd.Load(start), b = TSimd.Load(start + lanes), c = TSimd.Load(nextStart), d = TSimd.Load(nextStart + lanes);
        for (var k = 0; k < inputs;)
        {
            var offset = (long)groups.Of(k) * 2 * lanes;
            V s0 = TSimd.LoadE8M0(panel + offset), s1 = TSimd.LoadE8M0(panel + offset + lanes);
            V t0 = TSimd.LoadE8M0(next + offset), t1 = TSimd.LoadE8M0(next + offset + lanes);
            var groupEnd = Math.Min(inputs, groups.EndOf(k));
            while (k < groupEnd)
            {
                var words = codes + (long)(k / PerWord) * 2 * lanes;
                var nextWords = nextCodes + (long)(k / PerWord) * 2 * lanes;
                var first = k % PerWord;
                if (first != 0 || k + PerWord > groupEnd)
                {
                    var v = TSimd.Create(x[k]);
                    a = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.E2M1(words, 4 * first), s0), a);
                    b = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.E2M1(words + lanes, 4 * first), s1), b);
                    c = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.E2M1(nextWords, 4 * first), t0), c);
                    d = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 4 * first), t1), d);
                    k++;
                    continue;
                }

                Prefetch.ReadOnce(words + PrefetchWords);
                Prefetch.ReadOnce(words + PrefetchWords + lanes);
                Prefetch.ReadOnce(nextWords + PrefetchWords);
                Prefetch.ReadOnce(nextWords + PrefetchWords + lanes);
                var x0 = TSimd.Create(x[k]);
                a = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.E2M1(words, 0), s0), a);
                b = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.E2M1(words + lanes, 0), s1), b);
                c = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.E2M1(nextWords, 0), t0), c);
                d = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 0), t1), d);
                var x1 = TSimd.Create(x[k + 1]);
                a = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.E2M1(words, 4), s0), a);
                b = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.E2M1(words + lanes, 4), s1), b);
                c = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.E2M1(nextWords, 4), t0), c);
                d = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 4), t1), d);
                var x2 = TSimd.Create(x[k + 2]);
                a = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.E2M1(words, 8), s0), a);
                b = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.E2M1(words + lanes, 8), s1), b);
                c = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.E2M1(nextWords, 8), t0), c);
                d = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 8), t1), d);
                var x3 = TSimd.Create(x[k + 3]);
                a = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.E2M1(words, 12), s0), a);
                b = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.E2M1(words + lanes, 12), s1), b);
                c = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.E2M1(nextWords, 12), t0), c);
                d = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 12), t1), d);
                var x4 = TSimd.Create(x[k + 4]);
                a = TSimd.MultiplyAdd(x4, TSimd.Multiply(TSimd.E2M1(words, 16), s0), a);
                b = TSimd.MultiplyAdd(x4, TSimd.Multiply(TSimd.E2M1(words + lanes, 16), s1), b);
                c = TSimd.MultiplyAdd(x4, TSimd.Multiply(TSimd.E2M1(nextWords, 16), t0), c);
                d = TSimd.MultiplyAdd(x4, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 16), t1), d);
                var x5 = TSimd.Create(x[k + 5]);
                a = TSimd.MultiplyAdd(x5, TSimd.Multiply(TSimd.E2M1(words, 20), s0), a);
                b = TSimd.MultiplyAdd(x5, TSimd.Multiply(TSimd.E2M1(words + lanes, 20), s1), b);
                c = TSimd.MultiplyAdd(x5, TSimd.Multiply(TSimd.E2M1(nextWords, 20), t0), c);
                d = TSimd.MultiplyAdd(x5, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 20), t1), d);
                var x6 = TSimd.Create(x[k + 6]);
                a = TSimd.MultiplyAdd(x6, TSimd.Multiply(TSimd.E2M1(words, 24), s0), a);
                b = TSimd.MultiplyAdd(x6, TSimd.Multiply(TSimd.E2M1(words + lanes, 24), s1), b);
                c = TSimd.MultiplyAdd(x6, TSimd.Multiply(TSimd.E2M1(nextWords, 24), t0), c);
                d = TSimd.MultiplyAdd(x6, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 24), t1), d);
                var x7 = TSimd.Create(x[k + 7]);
                a = TSimd.MultiplyAdd(x7, TSimd.Multiply(TSimd.E2M1(words, 28), s0), a);
                b = TSimd.MultiplyAdd(x7, TSimd.Multiply(TSimd.E2M1(words + lanes, 28), s1), b);
                c = TSimd.MultiplyAdd(x7, TSimd.Multiply(TSimd.E2M1(nextWords, 28), t0), c);
                d = TSimd.MultiplyAdd(x7, TSimd.Multiply(TSimd.E2M1(nextWords + lanes, 28), t1), d);
                k += PerWord;
            }
        }

        TSimd.Store(a, result);
        TSimd.Store(b, result + lanes);
        TSimd.Store(c, nextResult);
        TSimd.Store(d, nextResult + lanes);
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
