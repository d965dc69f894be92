using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>A softmax over a context in parts: each has a maximum, a sum relative to it, and values times their weights. Attention's
/// kernels merge parts with the same arithmetic, wherever a part was computed.</summary>
internal static class PartialSoftmax
{
    /// <summary>Score of what must not be seen, and maximum of nothing.</summary>
    public const float Nothing = float.NegativeInfinity;

    /// <summary>What is mixed so far and a part's, both times their sums, relative to the larger maximum.</summary>
    public static Float4 Merge(Float4 mixed, float max, Float4 part, float partMax)
    {
        var larger = Native.Max(max, partMax);
        var factor = Native.Exp(max - larger);
        var partFactor = Native.Exp(partMax - larger);
        mixed.X = Native.Fma(mixed.X, factor, part.X * partFactor);
        mixed.Y = Native.Fma(mixed.Y, factor, part.Y * partFactor);
        mixed.Z = Native.Fma(mixed.Z, factor, part.Z * partFactor);
        mixed.W = Native.Fma(mixed.W, factor, part.W * partFactor);
        return mixed;
    }

    public static float MergeSums(float sum, float max, float part, float partMax)
    {
        var larger = Native.Max(max, partMax);
        return Native.Fma(sum, Native.Exp(max - larger), part * Native.Exp(partMax - larger));
    }

    /// <summary>One element of a head, from the parts that groups have left in the order of their numbers.</summary>
    /// <param name="partial"><c>[splits][rows · heads][valueDim + 2]</c>: the mean times the sum, the maximum, the sum.</param>
    /// <param name="head">Row · heads + head.</param>
    /// <param name="stride">Floats of all rows and heads.</param>
    /// <param name="sink">A score that the softmax has seen before; <see cref="Nothing"/> for none.</param>
    public static float Combine(ArrayView<float> partial, long head, long stride, int element, int valueDim, int splits, float sink)
    {
        Float4 mixed = default;
        var max = sink;
        var sum = sink > Nothing ? 1f : 0f;
        for (var split = 0; split < splits; split++)
        {
            var at = split * stride + head * (valueDim + 2);
            var ownMax = partial[at + valueDim];
            var ownSum = partial[at + valueDim + 1];
            if (ownSum > 0f)
            {
                Float4 part = default;
                part.X = partial[at + element];
                mixed = Merge(mixed, max, part, ownMax);
                sum = MergeSums(sum, max, ownSum, ownMax);
                max = Native.Max(max, ownMax);
            }
        }

        return mixed.X / sum;
    }

    /// <summary>The first token that a query sees. Processors trap where a divisor is 0, also of a quotient that is not taken.</summary>
    public static int FirstSeen(int position, int window, int chunk) => Native.Max(
        window > 0 ? Native.Max(0, position - window + 1) : 0, chunk > 0 ? position / Native.Max(chunk, 1) * chunk : 0);

    /// <summary>The last sequence that starts at or before a row.</summary>
    public static int SequenceOf(ArrayView<int> queryStarts, int numSequences, int row)
    {
        var low = 0;
        var high = numSequences - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (queryStarts[middle] <= row)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return low;
    }
}
