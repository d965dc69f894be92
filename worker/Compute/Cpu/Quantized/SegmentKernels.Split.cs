using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <content>Codes that have high bits in words of their own, one behind the two or four words of low bits that go with it. Sums and what
/// becomes of them are two methods, as one would be too large for the compiler to inline all of it.</content>
internal static unsafe partial class SegmentKernels<V, TSimd, TCodes>
{
    /// <summary>Segments whose sums are kept together.</summary>
    private const int MostSums = 16;

    /// <summary>Words of low bits that share one of high bits.</summary>
    private static int LowWords
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TCodes.HighBits == 1 ? 4 : 2;
    }

    /// <summary>One row times one panel of such codes: of two, their words and sums do not fit the registers.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SplitRow(
        byte* panel, long tableBytes, PanelSegments segments, float* x, float* sums, float* start, float* result)
    {
        var width = 2 * TSimd.Lanes;
        Buffer.MemoryCopy(start, result, width * sizeof(float), width * sizeof(float));
        var products = stackalloc V[MostSums * 2];
        for (var segment = 0; segment < segments.Count; segment += MostSums)
        {
            var end = Math.Min(segment + MostSums, segments.Count);
            var first = segments.StartOf(segment);
            var vectors = (long)first / (LowWords * TCodes.PerWord) * (LowWords + 1);
            SumSplit((float*)(panel + tableBytes) + vectors * width, segments, segment, end, x + StepsOf(first), products);
            AddSums(panel, segments, segment, end, products, sums, result);
        }
    }

    /// <summary>Products of some segments.</summary>
    /// <param name="x">Inputs of the first.</param>
    /// <param name="products">Receives two vectors of integers for each.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumSplit(float* w, PanelSegments segments, int firstSegment, int endSegment, float* x, V* products)
    {
        var lanes = TSimd.Lanes;
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a = TSimd.Create(0), b = a;
            var units = (segments.EndOf(segment) - segments.StartOf(segment)) / (LowWords * TCodes.PerWord);
            for (var unit = 0; unit < units; unit++)
            {
                var high = w + 2 * LowWords * lanes;
                V h0 = TSimd.Load(high), h1 = TSimd.Load(high + lanes);
                Prefetch.ReadOnce((byte*)(high + PrefetchWords), 2 * sizeof(uint) * lanes);
                for (var word = 0; word < LowWords; word++)
                {
                    Prefetch.ReadOnce((byte*)(w + PrefetchWords), 2 * sizeof(uint) * lanes);

                    V w0 = TSimd.Load(w), w1 = TSimd.Load(w + lanes);
                    var v = TSimd.Create(x[0]);
                    a = Product(v, Split(w0, h0, 0), a);
                    b = Product(v, Split(w1, h1, 0), b);
                    v = TSimd.Create(x[1]);
                    a = Product(v, Split(w0, h0, 1), a);
                    b = Product(v, Split(w1, h1, 1), b);
                    v = TSimd.Create(x[2]);
                    a = Product(v, Split(w0, h0, 2), a);
                    b = Product(v, Split(w1, h1, 2), b);
                    v = TSimd.Create(x[3]);
                    a = Product(v, Split(w0, h0, 3), a);
                    b = Product(v, Split(w1, h1, 3), b);
                    (h0, h1) = (Next(h0), Next(h1));
                    x += TCodes.Steps;
                    w += 2 * lanes;
                }

                w += 2 * lanes;
            }

            (products[0], products[1]) = (a, b);
            products += 2;
        }
    }

    /// <summary>Scales and adds what some segments of a panel have summed to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddSums(
        byte* panel, PanelSegments segments, int firstSegment, int endSegment, V* products, float* sums, float* results)
    {
        V total = TSimd.Load(results), nextTotal = TSimd.Load(results + TSimd.Lanes);
        sums += firstSegment * SumsOfSegment;
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            TCodes.ReadGroup<V, TSimd>(
                panel, segments.GroupOf(segment), out var scale, out var nextScale, out var offset, out var nextOffset);
            total = TSimd.MultiplyAdd(Scaled(products[0], sums), scale, Shifted(total, sums, offset));
            nextTotal = TSimd.MultiplyAdd(Scaled(products[1], sums), nextScale, Shifted(nextTotal, sums, nextOffset));
            products += 2;
            sums += SumsOfSegment;
        }

        TSimd.Store(total, results);
        TSimd.Store(nextTotal, results + TSimd.Lanes);
    }

    /// <summary>The codes of <see cref="Decode"/>, without the table.</summary>
    /// <param name="w">Words of the first segment.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecodeSplit(float* w, int places, float* codes)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        var units = places / (LowWords * TCodes.PerWord);
        for (var unit = 0; unit < units; unit++)
        {
            V h0 = TSimd.Load(w + LowWords * width), h1 = TSimd.Load(w + LowWords * width + lanes);
            for (var word = 0; word < LowWords; word++)
            {
                V w0 = TSimd.Load(w), w1 = TSimd.Load(w + lanes);
                TSimd.Store(Split(w0, h0, 0), codes);
                TSimd.Store(Split(w1, h1, 0), codes + lanes);
                TSimd.Store(Split(w0, h0, 1), codes + width);
                TSimd.Store(Split(w1, h1, 1), codes + width + lanes);
                TSimd.Store(Split(w0, h0, 2), codes + 2 * width);
                TSimd.Store(Split(w1, h1, 2), codes + 2 * width + lanes);
                TSimd.Store(Split(w0, h0, 3), codes + 3 * width);
                TSimd.Store(Split(w1, h1, 3), codes + 3 * width + lanes);
                (h0, h1) = (Next(h0), Next(h1));
                w += width;
                codes += TCodes.Steps * width;
            }

            w += width;
        }
    }

    /// <summary>The codes of a step of words of low bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Split(V words, V high, int step) =>
        TSimd.SplitNibbles(words, 4 * step, high, step * TCodes.HighBits, TCodes.HighBits);

    /// <summary>The high bits of the next words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Next(V high) => TSimd.ShiftHalves(high, TCodes.Steps * TCodes.HighBits);
}
