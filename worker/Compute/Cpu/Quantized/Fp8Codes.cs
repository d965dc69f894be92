using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="Fp8Matrix"/>; the table is a row of F32 scales.</summary>
internal readonly unsafe struct Fp8Codes : IPanelCodes
{
    private const int PerWord = 4;

    private const int PrefetchWords = 1024;

    public static bool MultipliesRow => true;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode<V, TSimd>(byte* table, uint* codes, PanelGroups groups, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V> =>
        DecodeRun<V, TSimd>(codes, TSimd.Load((float*)table), TSimd.Load((float*)table + TSimd.Lanes), firstK, count, target);

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
        V s0 = TSimd.Load((float*)panel), s1 = TSimd.Load((float*)panel + lanes);
        V t0 = TSimd.Load((float*)next), t1 = TSimd.Load((float*)next + lanes);
        var k = 0;
        for (; k <= inputs - PerWord; k += PerWord)
        {
            Prefetch.ReadOnce(codes + PrefetchWords);
            Prefetch.ReadOnce(codes + PrefetchWords + lanes);
            Prefetch.ReadOnce(nextCodes + PrefetchWords);
            Prefetch.ReadOnce(nextCodes + PrefetchWords + lanes);
            TSimd.FiniteE4M3(codes, out var w0, out var w1, out var w2, out var w3);
            a = TSimd.MultiplyAdd(TSimd.Create(x[k]), TSimd.Multiply(w0, s0), a);
            a = TSimd.MultiplyAdd(TSimd.Create(x[k + 1]), TSimd.Multiply(w1, s0), a);
            a = TSimd.MultiplyAdd(TSimd.Create(x[k + 2]), TSimd.Multiply(w2, s0), a);
            a = TSimd.MultiplyAdd(TSimd.Create(x[k + 3]), TSimd.Multiply(w3, s0), a);
            TSimd.FiniteE4M3(codes + lanes, out w0, out w1, out w2, out w3);
            b = TSimd.MultiplyAdd(TSimd.Create(x[k]), TSimd.Multiply(w0, s1), b);
            b = TSimd.MultiplyAdd(TSimd.Create(x[k + 1]), TSimd.Multiply(w1, s1), b);
            b = TSimd.MultiplyAdd(TSimd.Create(x[k + 2]), TSimd.Multiply(w2, s1), b);
            b = TSimd.MultiplyAdd(TSimd.Create(x[k + 3]), TSimd.Multiply(w3, s1), b);
            TSimd.FiniteE4M3(nextCodes, out w0, out w1, out w2, out w3);
            c = TSimd.MultiplyAdd(TSimd.Create(x[k]), TSimd.Multiply(w0, t0), c);
            c = TSimd.MultiplyAdd(TSimd.Create(x[k + 1]), TSimd.Multiply(w1, t0), c);
            c = TSimd.MultiplyAdd(TSimd.Create(x[k + 2]), TSimd.Multiply(w2, t0), c);
            c = TSimd.MultiplyAdd(TSimd.Create(x[k + 3]), TSimd.Multiply(w3, t0), c);
            TSimd.FiniteE4M3(nextCodes + lanes, out w0, out w1, out w2, out w3);
            d = TSimd.MultiplyAdd(TSimd.Create(x[k]), TSimd.Multiply(w0, t1), d);
            d = TSimd.MultiplyAdd(TSimd.Create(x[k + 1]), TSimd.Multiply(w1, t1), d);
            d = TSimd.MultiplyAdd(TSimd.Create(x[k + 2]), TSimd.Multiply(w2, t1), d);
            d = TSimd.MultiplyAdd(TSimd.Create(x[k + 3]), TSimd.Multiply(w3, t1), d);
            codes += 2 * lanes;
            nextCodes += 2 * lanes;
        }

        for (; k < inputs; k++)
        {
            var v = TSimd.Create(x[k]);
            var shift = 8 * (k % PerWord);
            a = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.E4M3(codes, shift), s0), a);
            b = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.E4M3(codes + lanes, shift), s1), b);
            c = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.E4M3(nextCodes, shift), t0), c);
            d = TSimd.MultiplyAdd(v, TSimd.Multiply(TSimd.E4M3(nextCodes + lanes, shift), t1), d);
        }

        TSimd.Store(a, result);
        TSimd.Store(b, result + lanes);
        TSimd.Store(c, nextResult);
        TSimd.Store(d, nextResult + lanes);
    }

    /// <summary>Inputs that share their scales.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DecodeRun<V, TSimd>(uint* codes, V scale, V nextScale, int firstK, int count, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var lanes = TSimd.Lanes;
        var end = firstK + count;
        for (var k = firstK; k < end;)
        {
            var words = codes + (long)(k / 4) * 2 * lanes;
            if (k % 4 == 0 && k + 4 <= end)
            {
                DecodeWord<V, TSimd>(words, scale, target);
                DecodeWord<V, TSimd>(words + lanes, nextScale, target + lanes);
                k += 4;
                target += 4 * 2 * lanes;
                continue;
            }

            TSimd.Store(TSimd.Multiply(TSimd.E4M3(words, 8 * (k % 4)), scale), target);
            TSimd.Store(TSimd.Multiply(TSimd.E4M3(words + lanes, 8 * (k % 4)), nextScale), target + lanes);
            k++;
            target += 2 * lanes;
        }
    }

    /// <summary>All codes of a vector of words; unrolled, for shifts by constants take one instruction less.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeWord<V, TSimd>(uint* words, V scale, float* target)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        var width = 2 * TSimd.Lanes;
        TSimd.FiniteE4M3(words, out var first, out var second, out var third, out var fourth);
        TSimd.Store(TSimd.Multiply(first, scale), target);
        TSimd.Store(TSimd.Multiply(second, scale), target + width);
        TSimd.Store(TSimd.Multiply(third, scale), target + 2 * width);
        TSimd.Store(TSimd.Multiply(fourth, scale), target + 3 * width);
    }
}
