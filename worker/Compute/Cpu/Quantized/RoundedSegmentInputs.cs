using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Orders a row's inputs by segments and rounds each segment to 16 bits, for codes that are integers; a task for each
/// row.</summary>
/// <remarks>
/// <para>rounded = input / scale to the nearest integer, ties to even, where scale is the segment's largest magnitude over 32767. That is
/// off by 2^-16 of the largest input at most; activations in BF16, which GPUs are served with, are off by up to 2^-9 of each. With two
/// terms, what is left is rounded likewise, and all digits of an F32 are there. What is multiplied and summed after that is exact, so that
/// order leaves no trace.</para>
/// <para>Memory: the words of all rows, <c>[term][row][word][step]</c>, with two inputs each (see <see cref="ISegmentCodes"/>); of each row
/// and segment the sum of what its inputs stand for, or, where codes have a <see cref="ISegmentCodes.Middle"/>, the integer that is too
/// much in a sum, and the scale; then for each worker the places of a row. Rows that pad a tile have
/// zeros for sums.</para>
/// </remarks>
internal readonly unsafe struct RoundedSegmentInputs<TCodes>(
    PanelSegments segments, float* inputs, int rows, int terms, int inFeatures, float* memory) : IParallelBody
    where TCodes : ISegmentCodes
{
    /// <summary>Floats that a segment has in <see cref="Sums"/>.</summary>
    public const int PerSegment = 2;

    /// <summary>Most rows that pad the last tile.</summary>
    private const int MostPadding = 16;

    private const int Largest = short.MaxValue;

    public int Terms => terms;

    public float* Words => memory;

    public float* Sums => memory + (long)terms * rows * (segments.Length / 2);

    private float* Places => Sums + ((long)terms * rows + MostPadding) * segments.Count * PerSegment;

    /// <summary>Floats of all of it.</summary>
    /// <param name="rows">Of all terms.</param>
    public static long Floats(PanelSegments segments, int rows, int workers) =>
        (long)rows * (segments.Length / 2) + ((long)rows + MostPadding) * segments.Count * PerSegment
        + (long)workers * segments.Length;

    public void Execute(int task, int worker)
    {
        if (task == 0)
        {
            var padding = Sums + (long)terms * rows * segments.Count * PerSegment;
            new Span<float>(padding, MostPadding * segments.Count * PerSegment).Clear();
        }

        var x = inputs + (long)task * inFeatures;
        if (terms > 1 || segments.Order != null || segments.Length != inFeatures)
        {
            var places = Places + (long)worker * segments.Length;
            segments.Arrange(x, inFeatures, places);
            x = places;
        }

        for (var term = 0; term < terms; term++)
        {
            Round(x, task + (long)term * rows, keepsRest: term + 1 < terms);
        }
    }

    /// <param name="x">A row's places.</param>
    /// <param name="row">Of all terms.</param>
    /// <param name="keepsRest">Whether places become what rounding leaves of them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Round(float* x, long row, bool keepsRest)
    {
        var target = (int*)Words + row * (segments.Length / 2);
        var sums = Sums + row * segments.Count * PerSegment;
        for (var segment = 0; segment < segments.Count; segment++)
        {
            var places = segments.EndOf(segment) - segments.StartOf(segment);
            var scale = InputRounding.Usable(InputRounding.Largest(x, places) / Largest);
            var total = RoundSegment(x, places, scale, target);
            if (keepsRest)
            {
                Subtract(x, places, scale);
            }

            sums[0] = TCodes.Middle == 0 ? total * scale : BitConverter.Int32BitsToSingle(total * TCodes.Middle);
            sums[1] = scale;
            x += places;
            target += places / 2;
            sums += PerSegment;
        }
    }

    /// <param name="places">A multiple of <see cref="Segments.Unit"/>.</param>
    /// <returns>The sum.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RoundSegment(float* x, int places, float scale, int* target)
    {
        var inverse = InputRounding.Inverse(scale);
        var total = Vector128<int>.Zero;
        for (var place = 0; place < places; place += Segments.Unit)
        {
            var first = Vector128.ConvertToInt32Native(Rounded(Vector128.Load(x + place), inverse));
            var second = Vector128.ConvertToInt32Native(Rounded(Vector128.Load(x + place + 4), inverse));
            total += first + second;
            var (low, high) = TCodes.PerWord == Segments.Unit
                ? (first, second)
                : (Vector128.Create(first.GetLower(), second.GetLower()), Vector128.Create(first.GetUpper(), second.GetUpper()));
            ((low & Vector128.Create(0xFFFF)) | (high << 16)).Store(target + place / 2);
        }

        return Vector128.Sum(total);
    }

    private static void Subtract(float* x, int places, float scale)
    {
        var inverse = InputRounding.Inverse(scale);
        for (var place = 0; place < places; place += Vector128<float>.Count)
        {
            var four = Vector128.Load(x + place);
            Vector128.FusedMultiplyAdd(-Rounded(four, inverse), Vector128.Create(scale), four).Store(x + place);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Rounded(Vector128<float> x, Vector128<float> inverse) =>
        InputRounding.Round(x, inverse, -Largest, Largest);
}
