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
    /// <summary>What <see cref="ISimd{V}.BiasedCodes"/> adds.</summary>
    private const float Bias = 1 << 23;

    private const int PrefetchWords = 1024;

    public static bool MultipliesRow => true;

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
            var bias = TSimd.Create(Bias);
            V zero = TSimd.Add(TTable.Odd<V, TSimd>(row, 0), bias), nextZero = TSimd.Add(TTable.Odd<V, TSimd>(row, 1), bias);
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
        var perWord = 32 / TBits.Count;
        var mask = (1u << TBits.Count) - 1;
        var bias = TSimd.Create(Bias);
        for (var k = 0; k < inputs;)
        {
            var offset = (long)groups.Of(k) * 2 * lanes * TTable.PairBytes;
            V s0 = TTable.Even<V, TSimd>(panel + offset, 0), s1 = TTable.Even<V, TSimd>(panel + offset, 1);
            V t0 = TTable.Even<V, TSimd>(next + offset, 0), t1 = TTable.Even<V, TSimd>(next + offset, 1);
            var z0 = TSimd.Add(TTable.Odd<V, TSimd>(panel + offset, 0), bias);
            var z1 = TSimd.Add(TTable.Odd<V, TSimd>(panel + offset, 1), bias);
            var y0 = TSimd.Add(TTable.Odd<V, TSimd>(next + offset, 0), bias);
            var y1 = TSimd.Add(TTable.Odd<V, TSimd>(next + offset, 1), bias);
            var groupEnd = Math.Min(inputs, groups.EndOf(k));
            while (k < groupEnd)
            {
                var words = codes + (long)(k / perWord) * 2 * lanes;
                var nextWords = nextCodes + (long)(k / perWord) * 2 * lanes;
                var first = k % perWord;
                if (first != 0 || k + perWord > groupEnd)
                {
                    var shift = TBits.Count * first;
                    var v = TSimd.Create(x[k]);
                    a = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, shift, mask), z0), s0), a);
                    b = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, shift, mask), z1), s1), b);
                    c = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, shift, mask), y0), t0), c);
                    d = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, shift, mask), y1), t1), d);
                    k++;
                    continue;
                }

                Prefetch.ReadOnce(words + PrefetchWords);
                Prefetch.ReadOnce(words + PrefetchWords + lanes);
                Prefetch.ReadOnce(nextWords + PrefetchWords);
                Prefetch.ReadOnce(nextWords + PrefetchWords + lanes);
                var x0 = TSimd.Create(x[k]);
                a = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, 0, mask), z0), s0), a);
                b = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, 0, mask), z1), s1), b);
                c = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, 0, mask), y0), t0), c);
                d = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, 0, mask), y1), t1), d);
                var x1 = TSimd.Create(x[k + 1]);
                a = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, TBits.Count, mask), z0), s0), a);
                b = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, TBits.Count, mask), z1), s1), b);
                c = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, TBits.Count, mask), y0), t0), c);
                d = TSimd.MultiplyAdd(
                    x1, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, TBits.Count, mask), y1), t1), d);
                var x2 = TSimd.Create(x[k + 2]);
                a = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, 2 * TBits.Count, mask), z0), s0), a);
                b = TSimd.MultiplyAdd(
                    x2, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, 2 * TBits.Count, mask), z1), s1), b);
                c = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, 2 * TBits.Count, mask), y0), t0), c);
                d = TSimd.MultiplyAdd(
                    x2, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, 2 * TBits.Count, mask), y1), t1), d);
                var x3 = TSimd.Create(x[k + 3]);
                a = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, 3 * TBits.Count, mask), z0), s0), a);
                b = TSimd.MultiplyAdd(
                    x3, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, 3 * TBits.Count, mask), z1), s1), b);
                c = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, 3 * TBits.Count, mask), y0), t0), c);
                d = TSimd.MultiplyAdd(
                    x3, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, 3 * TBits.Count, mask), y1), t1), d);
                if (TBits.Count == 4)
                {
                    x0 = TSimd.Create(x[k + 4]);
                    a = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, 16, mask), z0), s0), a);
                    b = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, 16, mask), z1), s1), b);
                    c = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, 16, mask), y0), t0), c);
                    d = TSimd.MultiplyAdd(x0, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, 16, mask), y1), t1), d);
                    x1 = TSimd.Create(x[k + 5]);
                    a = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, 20, mask), z0), s0), a);
                    b = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, 20, mask), z1), s1), b);
                    c = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, 20, mask), y0), t0), c);
                    d = TSimd.MultiplyAdd(x1, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, 20, mask), y1), t1), d);
                    x2 = TSimd.Create(x[k + 6]);
                    a = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, 24, mask), z0), s0), a);
                    b = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, 24, mask), z1), s1), b);
                    c = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, 24, mask), y0), t0), c);
                    d = TSimd.MultiplyAdd(x2, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, 24, mask), y1), t1), d);
                    x3 = TSimd.Create(x[k + 7]);
                    a = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, 28, mask), z0), s0), a);
                    b = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words + lanes, 28, mask), z1), s1), b);
                    c = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords, 28, mask), y0), t0), c);
                    d = TSimd.MultiplyAdd(x3, TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(nextWords + lanes, 28, mask), y1), t1), d);
                }

                k += perWord;
            }
        }

        TSimd.Store(a, result);
        TSimd.Store(b, result + lanes);
        TSimd.Store(c, nextResult);
        TSimd.Store(d, nextResult + lanes);
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
        TSimd.Store(TSimd.Multiply(TSimd.Subtract(TSimd.BiasedCodes(words, shift, (1u << TBits.Count) - 1), zero), scale), target);
}
