using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>The innermost loops of <see cref="SegmentGemmJob{V, TSimd, TCodes}"/>: a few rows of inputs times panels of codes, segment by
/// segment.</summary>
/// <remarks>
/// <para>For each segment of inputs, in order: sum = Σ x[k] · code[k] from 0, k ascending, one fused multiply-add each; then
/// output = sum · scale + (Σ x[k] · offset + output), two of them. All kernels do exactly that, so that the number of rows computed
/// together and the vector width leave no trace in the result.</para>
/// <para>Arguments: <c>x</c> is a tile of inputs <c>[k][rows]</c> from the first segment on (<see cref="SegmentInputs{TCodes}"/>);
/// <c>w</c> the codes of a panel there as floats; <c>table</c> for each segment scales and offsets (<see cref="Decode"/>); <c>sums</c> the
/// sum of each segment's inputs, rows <c>segments.Count</c> apart; <c>tile</c> the outputs so far, <c>[rows][panel width]</c>.</para>
/// </remarks>
internal static unsafe partial class SegmentKernels<V, TSimd, TCodes>
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : ISegmentCodes
{
    /// <summary>Vectors that a segment has in a table.</summary>
    public const int TableVectors = 4;

    /// <summary>How far ahead codes that are streamed are asked for. Of two panels the first is followed by the one after the
    /// second.</summary>
    private const int PrefetchWords = 2048;

    /// <summary>One row times two panels, codes in registers.</summary>
    /// <param name="panel">Where the first panel begins, with its table.</param>
    /// <param name="next">The second, or the first once more.</param>
    /// <param name="tableBytes">Bytes of a table; codes follow.</param>
    /// <param name="x">All inputs of the row.</param>
    /// <param name="start">What the outputs of the first panel begin with.</param>
    /// <param name="result">Receives them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Row(
        byte* panel, byte* next, long tableBytes, PanelSegments segments, float* x, float* sums, float* start, float* nextStart,
        float* result, float* nextResult)
    {
        var lanes = TSimd.Lanes;
        var w = (uint*)(panel + tableBytes);
        var nextW = (uint*)(next + tableBytes);
        var ahead = (long)PrefetchWords;
        var turn = w + Math.Max(0, segments.Length / TCodes.PerWord - PrefetchWords / (2 * lanes)) * 2 * lanes;
        V total0 = TSimd.Load(start), total1 = TSimd.Load(start + lanes);
        V total2 = TSimd.Load(nextStart), total3 = TSimd.Load(nextStart + lanes);
        for (var segment = 0; segment < segments.Count; segment++)
        {
            V a = TSimd.Create(0), b = a, c = a, d = a;
            var words = (segments.EndOf(segment) - segments.StartOf(segment)) / TCodes.PerWord;
            for (var word = 0; word < words; word++)
            {
                ahead += w == turn ? nextW - w : 0;
                Prefetch.ReadOnce((byte*)(w + ahead), 2 * sizeof(uint) * lanes);
                Prefetch.ReadOnce((byte*)(nextW + ahead), 2 * sizeof(uint) * lanes);

                V w0 = TSimd.Load((float*)w), w1 = TSimd.Load((float*)w + lanes);
                V w2 = TSimd.Load((float*)nextW), w3 = TSimd.Load((float*)nextW + lanes);
                V h0 = TCodes.Half<V, TSimd>(w0, 0), h1 = TCodes.Half<V, TSimd>(w1, 0);
                V h2 = TCodes.Half<V, TSimd>(w2, 0), h3 = TCodes.Half<V, TSimd>(w3, 0);
                var v = TSimd.Create(x[0]);
                a = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h0, 0), a);
                b = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h1, 0), b);
                c = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h2, 0), c);
                d = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h3, 0), d);
                v = TSimd.Create(x[1]);
                a = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h0, 1), a);
                b = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h1, 1), b);
                c = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h2, 1), c);
                d = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h3, 1), d);
                v = TSimd.Create(x[2]);
                a = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h0, 2), a);
                b = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h1, 2), b);
                c = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h2, 2), c);
                d = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h3, 2), d);
                v = TSimd.Create(x[3]);
                a = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h0, 3), a);
                b = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h1, 3), b);
                c = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h2, 3), c);
                d = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h3, 3), d);
                if (TCodes.PerWord == 8)
                {
                    (h0, h1) = (TCodes.Half<V, TSimd>(w0, 1), TCodes.Half<V, TSimd>(w1, 1));
                    (h2, h3) = (TCodes.Half<V, TSimd>(w2, 1), TCodes.Half<V, TSimd>(w3, 1));
                    v = TSimd.Create(x[4]);
                    a = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h0, 4), a);
                    b = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h1, 4), b);
                    c = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h2, 4), c);
                    d = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h3, 4), d);
                    v = TSimd.Create(x[5]);
                    a = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h0, 5), a);
                    b = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h1, 5), b);
                    c = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h2, 5), c);
                    d = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h3, 5), d);
                    v = TSimd.Create(x[6]);
                    a = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h0, 6), a);
                    b = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h1, 6), b);
                    c = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h2, 6), c);
                    d = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h3, 6), d);
                    v = TSimd.Create(x[7]);
                    a = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h0, 7), a);
                    b = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h1, 7), b);
                    c = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h2, 7), c);
                    d = TSimd.MultiplyAdd(v, TCodes.Weights<V, TSimd>(h3, 7), d);
                }

                x += TCodes.PerWord;
                w += 2 * lanes;
                nextW += 2 * lanes;
            }

            var group = segments.GroupOf(segment);
            TCodes.ReadGroup<V, TSimd>(panel, group, out var scale, out var nextScale, out var offset, out var nextOffset);
            var sum = TSimd.Create(sums[segment]);
            total0 = TSimd.MultiplyAdd(a, scale, Shifted(total0, sum, offset));
            total1 = TSimd.MultiplyAdd(b, nextScale, Shifted(total1, sum, nextOffset));
            TCodes.ReadGroup<V, TSimd>(next, group, out scale, out nextScale, out offset, out nextOffset);
            total2 = TSimd.MultiplyAdd(c, scale, Shifted(total2, sum, offset));
            total3 = TSimd.MultiplyAdd(d, nextScale, Shifted(total3, sum, nextOffset));
        }

        TSimd.Store(total0, result);
        TSimd.Store(total1, result + lanes);
        TSimd.Store(total2, nextResult);
        TSimd.Store(total3, nextResult + lanes);
    }

    /// <summary>Codes of a run of segments as floats, <c>[k][panel width]</c>, and their table.</summary>
    /// <param name="panel">Where the panel begins.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode(
        byte* panel, long tableBytes, PanelSegments segments, int firstSegment, int endSegment, float* floats, float* table)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        var first = segments.StartOf(firstSegment);
        var w = (uint*)(panel + tableBytes) + (long)first / TCodes.PerWord * width;
        var words = (segments.EndOf(endSegment - 1) - first) / TCodes.PerWord;
        for (var word = 0; word < words; word++)
        {
            V w0 = TSimd.Load((float*)w), w1 = TSimd.Load((float*)w + lanes);
            V h0 = TCodes.Half<V, TSimd>(w0, 0), h1 = TCodes.Half<V, TSimd>(w1, 0);
            TSimd.Store(TCodes.Weights<V, TSimd>(h0, 0), floats);
            TSimd.Store(TCodes.Weights<V, TSimd>(h1, 0), floats + lanes);
            TSimd.Store(TCodes.Weights<V, TSimd>(h0, 1), floats + width);
            TSimd.Store(TCodes.Weights<V, TSimd>(h1, 1), floats + width + lanes);
            TSimd.Store(TCodes.Weights<V, TSimd>(h0, 2), floats + 2 * width);
            TSimd.Store(TCodes.Weights<V, TSimd>(h1, 2), floats + 2 * width + lanes);
            TSimd.Store(TCodes.Weights<V, TSimd>(h0, 3), floats + 3 * width);
            TSimd.Store(TCodes.Weights<V, TSimd>(h1, 3), floats + 3 * width + lanes);
            if (TCodes.PerWord == 8)
            {
                (h0, h1) = (TCodes.Half<V, TSimd>(w0, 1), TCodes.Half<V, TSimd>(w1, 1));
                TSimd.Store(TCodes.Weights<V, TSimd>(h0, 4), floats + 4 * width);
                TSimd.Store(TCodes.Weights<V, TSimd>(h1, 4), floats + 4 * width + lanes);
                TSimd.Store(TCodes.Weights<V, TSimd>(h0, 5), floats + 5 * width);
                TSimd.Store(TCodes.Weights<V, TSimd>(h1, 5), floats + 5 * width + lanes);
                TSimd.Store(TCodes.Weights<V, TSimd>(h0, 6), floats + 6 * width);
                TSimd.Store(TCodes.Weights<V, TSimd>(h1, 6), floats + 6 * width + lanes);
                TSimd.Store(TCodes.Weights<V, TSimd>(h0, 7), floats + 7 * width);
                TSimd.Store(TCodes.Weights<V, TSimd>(h1, 7), floats + 7 * width + lanes);
            }

            w += width;
            floats += TCodes.PerWord * width;
        }

        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            TCodes.ReadGroup<V, TSimd>(
                panel, segments.GroupOf(segment), out var scale, out var nextScale, out var offset, out var nextOffset);
            TSimd.Store(scale, table);
            TSimd.Store(nextScale, table + lanes);
            TSimd.Store(offset, table + width);
            TSimd.Store(nextOffset, table + width + lanes);
            table += TableVectors * lanes;
        }
    }

    /// <summary>total + offset · inputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Shifted(V total, V inputs, V offset) => TCodes.HasOffsets ? TSimd.MultiplyAdd(inputs, offset, total) : total;

    /// <summary>Adds a segment to what a row has so far.</summary>
    /// <param name="inputs">Their sum, by its address: as a float it would take an instruction more.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(V sum, V nextSum, float* inputs, float* table, float* outputs)
    {
        var lanes = TSimd.Lanes;
        V total = TSimd.Load(outputs), nextTotal = TSimd.Load(outputs + lanes);
        if (TCodes.HasOffsets)
        {
            var v = TSimd.Create(*inputs);
            total = TSimd.MultiplyAdd(v, TSimd.Load(table + 2 * lanes), total);
            nextTotal = TSimd.MultiplyAdd(v, TSimd.Load(table + 3 * lanes), nextTotal);
        }

        TSimd.Store(TSimd.MultiplyAdd(sum, TSimd.Load(table), total), outputs);
        TSimd.Store(TSimd.MultiplyAdd(nextSum, TSimd.Load(table + lanes), nextTotal), outputs + lanes);
    }
}
