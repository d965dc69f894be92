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
    public static void RmsHeads(ArrayView<float> x, ArrayView<float> weight, int stride, int firstHead, int headDim, float epsilon)
    {
        var first = (long)Grid.IdxY * stride + (firstHead + Grid.IdxX) * headDim;
        var sum = 0f;
        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            sum = Native.Fma(x[first + i], x[first + i], sum);
        }

        var scale = 1f / MathF.Sqrt(Wave.Sum(sum) / headDim + epsilon);
        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            x[first + i] = x[first + i] * scale * weight[i];
        }
    }
}
