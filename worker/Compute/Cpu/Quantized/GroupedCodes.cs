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
    /// <summary>Whether a zero times its scale is a float to the last bit, as that of two numbers of 16 bits is.</summary>
    private static bool IsExact => TTable.PairBytes == 4;

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
            V offset = Offset<V, TSimd>(row, 0, scale), nextOffset = Offset<V, TSimd>(row, 1, nextScale);
            var groupEnd = Math.Min(end, groups.EndOf(k));
            while (k < groupEnd)
            {
                var words = codes + (long)(k / perWord) * 2 * lanes;
                var first = k % perWord;
                if (first == 0 && k + perWord <= groupEnd)
                {
                    DecodeWord<V, TSimd>(words, scale, offset, target);
                    DecodeWord<V, TSimd>(words + lanes, nextScale, nextOffset, target + lanes);
                    k += perWord;
                    target += perWord * 2 * lanes;
                    continue;
                }

                TSimd.Store(Weight<V, TSimd>(words, TBits.Count * first, scale, offset), target);
                TSimd.Store(Weight<V, TSimd>(words + lanes, TBits.Count * first, nextScale, nextOffset), target + lanes);
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
        for (var k = 0; k < inputs;)
        {
            var offset = (long)groups.Of(k) * 2 * lanes * TTable.PairBytes;
            V s0 = TTable.Even<V, TSimd>(panel + offset, 0), s1 = TTable.Even<V, TSimd>(panel + offset, 1);
            V t0 = TTable.Even<V, TSimd>(next + offset, 0), t1 = TTable.Even<V, TSimd>(next + offset, 1);
            V o0 = Offset<V, TSimd>(panel + offset, 0, s0), o1 = Offset<V, TSimd>(panel + offset, 1, s1);
            V p0 = Offset<V, TSimd>(next + offset, 0, t0), p1 = Offset<V, TSimd>(next + offset, 1, t1);
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
                    a = TSimd.MultiplyAdd(v, Weight<V, TSimd>(words, shift, s0, o0), a);
                    b = TSimd.MultiplyAdd(v, Weight<V, TSimd>(words + lanes, shift, s1, o1), b);
                    c = TSimd.MultiplyAdd(v, Weight<V, TSimd>(nextWords, shift, t0, p0), c);
                    d = TSimd.MultiplyAdd(v, Weight<V, TSimd>(nextWords + lanes, shift, t1, p1), d);
                    k++;
                    continue;
                }

                Prefetch.ReadOnce(words + PrefetchWords);
                Prefetch.ReadOnce(words + PrefetchWords + lanes);
                Prefetch.ReadOnce(nextWords + PrefetchWords);
                Prefetch.ReadOnce(nextWords + PrefetchWords + lanes);
                var x0 = TSimd.Create(x[k]);
                a = TSimd.MultiplyAdd(x0, Weight<V, TSimd>(words, 0, s0, o0), a);
                b = TSimd.MultiplyAdd(x0, Weight<V, TSimd>(words + lanes, 0, s1, o1), b);
                c = TSimd.MultiplyAdd(x0, Weight<V, TSimd>(nextWords, 0, t0, p0), c);
                d = TSimd.MultiplyAdd(x0, Weight<V, TSimd>(nextWords + lanes, 0, t1, p1), d);
                var x1 = TSimd.Create(x[k + 1]);
                a = TSimd.MultiplyAdd(x1, Weight<V, TSimd>(words, TBits.Count, s0, o0), a);
                b = TSimd.MultiplyAdd(x1, Weight<V, TSimd>(words + lanes, TBits.Count, s1, o1), b);
                c = TSimd.MultiplyAdd(x1, Weight<V, TSimd>(nextWords, TBits.Count, t0, p0), c);
                d = TSimd.MultiplyAdd(x1, Weight<V, TSimd>(nextWords + lanes, TBits.Count, t1, p1), d);
                var x2 = TSimd.Create(x[k + 2]);
                a = TSimd.MultiplyAdd(x2, Weight<V, TSimd>(words, 2 * TBits.Count, s0, o0), a);
                b = TSimd.MultiplyAdd(x2, Weight<V, TSimd>(words + lanes, 2 * TBits.Count, s1, o1), b);
                c = TSimd.MultiplyAdd(x2, Weight<V, TSimd>(nextWords, 2 * TBits.Count, t0, p0), c);
                d = TSimd.MultiplyAdd(x2, Weight<V, TSimd>(nextWords + lanes, 2 * TBits.Count, t1, p1), d);
                var x3 = TSimd.Create(x[k + 3]);
                a = TSimd.MultiplyAdd(x3, Weight<V, TSimd>(words, 3 * TBits.Count, s0, o0), a);
                b = TSimd.MultiplyAdd(x3, Weight<V, TSimd>(words + lanes, 3 * TBits.Count, s1, o1), b);
                c = TSimd.MultiplyAdd(x3, Weight<V, TSimd>(nextWords, 3 * TBits.Count, t0, p0), c);
                d = TSimd.MultiplyAdd(x3, Weight<V, TSimd>(nextWords + lanes, 3 * TBits.Count, t1, p1), d);
                if (TBits.Count == 4)
                {
                    x0 = TSimd.Create(x[k + 4]);
                    a = TSimd.MultiplyAdd(x0, Weight<V, TSimd>(words, 16, s0, o0), a);
                    b = TSimd.MultiplyAdd(x0, Weight<V, TSimd>(words + lanes, 16, s1, o1), b);
                    c = TSimd.MultiplyAdd(x0, Weight<V, TSimd>(nextWords, 16, t0, p0), c);
                    d = TSimd.MultiplyAdd(x0, Weight<V, TSimd>(nextWords + lanes, 16, t1, p1), d);
                    x1 = TSimd.Create(x[k + 5]);
                    a = TSimd.MultiplyAdd(x1, Weight<V, TSimd>(words, 20, s0, o0), a);
                    b = TSimd.MultiplyAdd(x1, Weight<V, TSimd>(words + lanes, 20, s1, o1), b);
                    c = TSimd.MultiplyAdd(x1, Weight<V, TSimd>(nextWords, 20, t0, p0), c);
                    d = TSimd.MultiplyAdd(x1, Weight<V, TSimd>(nextWords + lanes, 20, t1, p1), d);
                    x2 = TSimd.Create(x[k + 6]);
                    a = TSimd.MultiplyAdd(x2, Weight<V, TSimd>(words, 24, s0, o0), a);
                    b = TSimd.MultiplyAdd(x2, Weight<V, TSimd>(words + lanes, 24, s1, o1), b);
                    c = TSimd.MultiplyAdd(x2, Weight<V, TSimd>(nextWords, 24, t0, p0), c);
                    d = TSimd.MultiplyAdd(x2, Weight<V, TSimd>(nextWords + lanes, 24, t1, p1), d);
                    x3 = TSimd.Create(x[k + 7]);
                    a = TSimd.MultiplyAdd(x3, Weight<V, TSimd>(words, 28, s0, o0), a);
                    b = TSimd.MultiplyAdd(x3, Weight<V, TSimd>(words + lanes, 28, s1, o1), b);
                    c = TSimd.MultiplyAdd(x3, Weight<V, TSimd>(nextWords, 28, t0, p0), c);
                    d = TSimd.MultiplyAdd(x3, Weight<V, TSimd>(nextWords + lanes, 28, t1, p1), d);
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
    private static void DecodeWord<V, TSimd>(uint* words, V scale, V offset, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        TSimd.Store(Weight<V, TSimd>(words, 0, scale, offset), target);
        TSimd.Store(Weight<V, TSimd>(words, TBits.Count, scale, offset), target + width);
        TSimd.Store(Weight<V, TSimd>(words, 2 * TBits.Count, scale, offset), target + 2 * width);
        TSimd.Store(Weight<V, TSimd>(words, 3 * TBits.Count, scale, offset), target + 3 * width);
        if (TBits.Count == 4)
        {
            TSimd.Store(Weight<V, TSimd>(words, 16, scale, offset), target + 4 * width);
            TSimd.Store(Weight<V, TSimd>(words, 20, scale, offset), target + 5 * width);
            TSimd.Store(Weight<V, TSimd>(words, 24, scale, offset), target + 6 * width);
            TSimd.Store(Weight<V, TSimd>(words, 28, scale, offset), target + 7 * width);
        }
    }

    /// <summary>What <see cref="Weight"/> takes for a zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Offset<V, TSimd>(byte* row, int vector, V scale)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var zero = TTable.Odd<V, TSimd>(row, vector);
        return IsExact ? TSimd.Subtract(TSimd.Create(0f), TSimd.Multiply(zero, scale)) : zero;
    }

    /// <summary>(code − zero) · scale, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Weight<V, TSimd>(uint* words, int shift, V scale, V offset)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var code = TSimd.Codes(words, shift, (1u << TBits.Count) - 1);
        return IsExact ? TSimd.MultiplyAdd(code, scale, offset) : TSimd.Multiply(TSimd.Subtract(code, offset), scale);
    }
}
