using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>The innermost loops of <see cref="SegmentGemmJob{V, TSimd, TCodes}"/>: a few rows of inputs times panels of codes, segment by
/// segment.</summary>
/// <remarks>
/// <para>For each segment of inputs, in order: sum = Σ x[k] · code[k], of floats from 0, k ascending, one fused multiply-add each, of
/// integers exactly, and then rounded to a float and multiplied by the scale of the inputs; then
/// output = sum · scale + (Σ x[k] · offset + output), two fused multiply-adds. All kernels do exactly that, so that the number of rows
/// computed together and the vector width leave no trace in the result.</para>
/// <para>Arguments: <c>x</c> is a tile of inputs <c>[step][rows]</c> from the first segment on (<see cref="SegmentInputs{TCodes}"/>,
/// <see cref="RoundedSegmentInputs{TCodes}"/>); <c>w</c> the codes of a panel there, a vector for each step; <c>table</c> for each segment
/// scales and offsets (<see cref="Decode"/>); <c>sums</c> what rounded inputs have for each segment, rows
/// <c>segments.Count · 2</c> apart; <c>tile</c> the outputs so far, <c>[rows][panel width]</c>.</para>
/// </remarks>
internal static unsafe partial class SegmentKernels<V, TSimd, TCodes>
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : ISegmentCodes
{
    /// <summary>Vectors that a segment has in a table.</summary>
    public const int TableVectors = 4;

    /// <summary>Floats that a segment of a row has in <c>sums</c>.</summary>
    private const int SumsOfSegment = RoundedSegmentInputs<TCodes>.PerSegment;

    /// <summary>How far ahead codes that are streamed are asked for. Of two panels the first is followed by the one after the
    /// second.</summary>
    private const int PrefetchWords = 2048;

    /// <summary>Steps of so many places: words of a row's inputs, and vectors of its weights.</summary>
    public static int StepsOf(int places) => TCodes.AreIntegers ? places / 2 : places;

    /// <summary>One row times two panels, codes in registers.</summary>
    /// <param name="panel">Where the first panel begins, with its table.</param>
    /// <param name="next">The second, or the first once more.</param>
    /// <param name="tableBytes">Bytes of a table; codes follow.</param>
    /// <param name="x">All inputs of the row.</param>
    /// <param name="sums">Of all of its segments.</param>
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
                a = Product(v, TCodes.Weights<V, TSimd>(h0, 0), a);
                b = Product(v, TCodes.Weights<V, TSimd>(h1, 0), b);
                c = Product(v, TCodes.Weights<V, TSimd>(h2, 0), c);
                d = Product(v, TCodes.Weights<V, TSimd>(h3, 0), d);
                v = TSimd.Create(x[1]);
                a = Product(v, TCodes.Weights<V, TSimd>(h0, 1), a);
                b = Product(v, TCodes.Weights<V, TSimd>(h1, 1), b);
                c = Product(v, TCodes.Weights<V, TSimd>(h2, 1), c);
                d = Product(v, TCodes.Weights<V, TSimd>(h3, 1), d);
                if (TCodes.Steps == 4)
                {
                    (h0, h1) = (TCodes.Half<V, TSimd>(w0, 1), TCodes.Half<V, TSimd>(w1, 1));
                    (h2, h3) = (TCodes.Half<V, TSimd>(w2, 1), TCodes.Half<V, TSimd>(w3, 1));
                    v = TSimd.Create(x[2]);
                    a = Product(v, TCodes.Weights<V, TSimd>(h0, 2), a);
                    b = Product(v, TCodes.Weights<V, TSimd>(h1, 2), b);
                    c = Product(v, TCodes.Weights<V, TSimd>(h2, 2), c);
                    d = Product(v, TCodes.Weights<V, TSimd>(h3, 2), d);
                    v = TSimd.Create(x[3]);
                    a = Product(v, TCodes.Weights<V, TSimd>(h0, 3), a);
                    b = Product(v, TCodes.Weights<V, TSimd>(h1, 3), b);
                    c = Product(v, TCodes.Weights<V, TSimd>(h2, 3), c);
                    d = Product(v, TCodes.Weights<V, TSimd>(h3, 3), d);
                }

                x += TCodes.Steps;
                w += 2 * lanes;
                nextW += 2 * lanes;
            }

            var group = segments.GroupOf(segment);
            TCodes.ReadGroup<V, TSimd>(panel, group, out var scale, out var nextScale, out var offset, out var nextOffset);
            total0 = TSimd.MultiplyAdd(Scaled(a, sums), scale, Shifted(total0, sums, offset));
            total1 = TSimd.MultiplyAdd(Scaled(b, sums), nextScale, Shifted(total1, sums, nextOffset));
            TCodes.ReadGroup<V, TSimd>(next, group, out scale, out nextScale, out offset, out nextOffset);
            total2 = TSimd.MultiplyAdd(Scaled(c, sums), scale, Shifted(total2, sums, offset));
            total3 = TSimd.MultiplyAdd(Scaled(d, sums), nextScale, Shifted(total3, sums, nextOffset));
            sums += SumsOfSegment;
        }

        TSimd.Store(total0, result);
        TSimd.Store(total1, result + lanes);
        TSimd.Store(total2, nextResult);
        TSimd.Store(total3, nextResult + lanes);
    }

    /// <summary>Codes of a run of segments, <c>[step][panel width]</c>, and their table.</summary>
    /// <param name="panel">Where the panel begins.</param>
    /// <param name="codes">Receives floats, or words of two numbers of 16 bits.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode(
        byte* panel, long tableBytes, PanelSegments segments, int firstSegment, int endSegment, float* codes, float* table)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        var first = segments.StartOf(firstSegment);
        var places = segments.EndOf(endSegment - 1) - first;
        if (TCodes.HighBits > 0)
        {
            var vectors = first / (LowWords * TCodes.PerWord) * (LowWords + 1);
            DecodeSplit((float*)(panel + tableBytes) + (long)vectors * width, places, codes);
        }
        else
        {
            DecodeWords((float*)(panel + tableBytes) + (long)first / TCodes.PerWord * width, places, codes);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Product(V input, V codes, V sum) =>
        TCodes.AreIntegers ? TSimd.AddPairs(codes, input, sum) : TSimd.MultiplyAdd(input, codes, sum);

    /// <param name="w">Words of the first segment.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecodeWords(float* w, int places, float* codes)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        var words = places / TCodes.PerWord;
        for (var word = 0; word < words; word++)
        {
            V w0 = TSimd.Load(w), w1 = TSimd.Load(w + lanes);
            V h0 = TCodes.Half<V, TSimd>(w0, 0), h1 = TCodes.Half<V, TSimd>(w1, 0);
            TSimd.Store(TCodes.Weights<V, TSimd>(h0, 0), codes);
            TSimd.Store(TCodes.Weights<V, TSimd>(h1, 0), codes + lanes);
            TSimd.Store(TCodes.Weights<V, TSimd>(h0, 1), codes + width);
            TSimd.Store(TCodes.Weights<V, TSimd>(h1, 1), codes + width + lanes);
            if (TCodes.Steps == 4)
            {
                (h0, h1) = (TCodes.Half<V, TSimd>(w0, 1), TCodes.Half<V, TSimd>(w1, 1));
                TSimd.Store(TCodes.Weights<V, TSimd>(h0, 2), codes + 2 * width);
                TSimd.Store(TCodes.Weights<V, TSimd>(h1, 2), codes + 2 * width + lanes);
                TSimd.Store(TCodes.Weights<V, TSimd>(h0, 3), codes + 3 * width);
                TSimd.Store(TCodes.Weights<V, TSimd>(h1, 3), codes + 3 * width + lanes);
            }

            w += width;
            codes += TCodes.Steps * width;
        }
    }

    /// <summary>A segment's sum as if inputs had not been scaled.</summary>
    /// <param name="inputs">What the segment has in <c>sums</c>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Scaled(V sum, float* inputs)
    {
        if (!TCodes.AreIntegers)
        {
            return sum;
        }

        var exact = TCodes.Middle == 0 ? sum : TSimd.SubtractIntegers(sum, TSimd.Create(inputs[0]));
        return TSimd.Multiply(TSimd.Rounded(exact), TSimd.Create(inputs[1]));
    }

    /// <summary>total + offset · sum of inputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Shifted(V total, float* inputs, V offset) =>
        TCodes.HasOffsets ? TSimd.MultiplyAdd(TSimd.Create(inputs[0]), offset, total) : total;

    /// <summary>Adds a segment to what a row has so far.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(V sum, V nextSum, float* inputs, float* table, float* outputs)
    {
        var lanes = TSimd.Lanes;
        V total = TSimd.Load(outputs), nextTotal = TSimd.Load(outputs + lanes);
        if (TCodes.HasOffsets)
        {
            total = Shifted(total, inputs, TSimd.Load(table + 2 * lanes));
            nextTotal = Shifted(nextTotal, inputs, TSimd.Load(table + 3 * lanes));
        }

        TSimd.Store(TSimd.MultiplyAdd(Scaled(sum, inputs), TSimd.Load(table), total), outputs);
        TSimd.Store(TSimd.MultiplyAdd(Scaled(nextSum, inputs), TSimd.Load(table + lanes), nextTotal), outputs + lanes);
    }
}
