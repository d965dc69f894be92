using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Normalizations, a row for each group. A thread has the same elements throughout, so that results may replace what they are made
/// of.</summary>
internal static class Norms
{
    /// <summary>x[t] += addend[t], if asked; output[t] = x[t] / √(mean(x[t]²) + ε) · weight.</summary>
    /// <param name="add">1 adds first.</param>
    public static void Rms(
        ArrayView<float> x, ArrayView<float> addend, ArrayView<float> weight, ArrayView<float> output, int columns, float epsilon, int add)
    {
        var first = (long)Grid.IdxX * columns;
        var threads = Group.DimY * Wave.Lanes;
        var thread = Group.IdxY * Wave.Lanes + Group.IdxX;
        var sum = 0f;
        for (var i = thread; i < columns; i += threads)
        {
            var value = x[first + i];
            if (add != 0)
            {
                value += addend[first + i];
                x[first + i] = value;
            }

            sum = Native.Fma(value, value, sum);
        }

        var scale = 1f / MathF.Sqrt(Wave.GroupSum(sum) / columns + epsilon);
        for (var i = thread; i < columns; i += threads)
        {
            output[first + i] = x[first + i] * scale * weight[i];
        }
    }

    /// <summary>x[t] += addend[t], if asked; output[t] = (x[t] − mean(x[t])) / √(variance(x[t]) + ε) · weight + bias.</summary>
    /// <param name="add">1 adds first.</param>
    public static void Layer(
        ArrayView<float> x, ArrayView<float> addend, ArrayView<float> weight, ArrayView<float> bias, ArrayView<float> output, int columns,
        float epsilon, int add)
    {
        var first = (long)Grid.IdxX * columns;
        var threads = Group.DimY * Wave.Lanes;
        var thread = Group.IdxY * Wave.Lanes + Group.IdxX;
        var sum = 0f;
        for (var i = thread; i < columns; i += threads)
        {
            var value = x[first + i];
            if (add != 0)
            {
                value += addend[first + i];
                x[first + i] = value;
            }

            sum += value;
        }

        // Squares of the deviations: the mean of squares less the square of the mean would cancel.
        var mean = Wave.GroupSum(sum) / columns;
        sum = 0f;
        for (var i = thread; i < columns; i += threads)
        {
            var deviation = x[first + i] - mean;
            sum = Native.Fma(deviation, deviation, sum);
        }

        var scale = 1f / MathF.Sqrt(Wave.GroupSum(sum) / columns + epsilon);
        for (var i = thread; i < columns; i += threads)
        {
            output[first + i] = Native.Fma((x[first + i] - mean) * scale, weight[i], bias[i]);
        }
    }

    /// <summary>Normalizes heads one by one, in place. Grid (heads, rows), a wave each.</summary>
    /// <param name="nextWeight">Of the heads from <paramref name="nextHead"/> of the grid on.</param>
    public static void RmsHeads(
        ArrayView<float> x, ArrayView<float> weight, ArrayView<float> nextWeight, int stride, int firstHead, int nextHead, int headDim,
        float epsilon)
    {
        var isNext = Grid.IdxX >= nextHead;
        var first = (long)Grid.IdxY * stride + (firstHead + Grid.IdxX) * headDim;
        var sum = 0f;
        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            sum = Native.Fma(x[first + i], x[first + i], sum);
        }

        var scale = 1f / MathF.Sqrt(Wave.Sum(sum) / headDim + epsilon);
        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            x[first + i] = x[first + i] * scale * (isNext ? nextWeight[i] : weight[i]);
        }
    }

    /// <summary>Normalizes heads one by one by mean and variance, in place, each by weights of its own. Grid (heads, rows), a wave
    /// each.</summary>
    public static void LayerHeads(ArrayView<float> x, ArrayView<float> weight, int stride, int firstHead, int headDim, float epsilon)
    {
        var first = (long)Grid.IdxY * stride + (firstHead + Grid.IdxX) * headDim;
        var sum = 0f;
        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            sum += x[first + i];
        }

        var mean = Wave.Sum(sum) / headDim;
        sum = 0f;
        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            var deviation = x[first + i] - mean;
            sum = Native.Fma(deviation, deviation, sum);
        }

        var scale = 1f / MathF.Sqrt(Wave.Sum(sum) / headDim + epsilon);
        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            x[first + i] = (x[first + i] - mean) * scale * weight[(long)Grid.IdxX * headDim + i];
        }
    }

    /// <summary>sums[t, column] = Σ x[t, first + i]², i below count.</summary>
    public static void SumSquares(ArrayView<float> x, ArrayView<float> sums, int stride, int first, int count, int sumStride, int column)
    {
        var start = (long)Grid.IdxX * stride + first;
        var threads = Group.DimY * Wave.Lanes;
        var thread = Group.IdxY * Wave.Lanes + Group.IdxX;
        var sum = 0f;
        for (var i = thread; i < count; i += threads)
        {
            sum = Native.Fma(x[start + i], x[start + i], sum);
        }

        sum = Wave.GroupSum(sum);
        if (thread == 0)
        {
            sums[(long)Grid.IdxX * sumStride + column] = sum;
        }
    }

    /// <summary>x[t, first + i] *= weight[i] / √(sums[t, column] / features + ε), i below count. Grid (pieces of a row, rows), a wave
    /// each.</summary>
    public static void RmsScale(
        ArrayView<float> x, ArrayView<float> weight, ArrayView<float> sums, int stride, int first, int count, int sumStride, int column,
        int features, float epsilon)
    {
        var start = (long)Grid.IdxY * stride + first;
        var scale = 1f / MathF.Sqrt(sums[(long)Grid.IdxY * sumStride + column] / features + epsilon);
        var last = Native.Min(count, (Grid.IdxX + 1) * Elementwise.OfGroup);
        for (var i = Grid.IdxX * Elementwise.OfGroup + Group.IdxX; i < last; i += Wave.Lanes)
        {
            x[start + i] = x[start + i] * scale * weight[i];
        }
    }
}
