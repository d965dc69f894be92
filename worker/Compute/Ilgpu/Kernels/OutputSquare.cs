using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>A lane's outputs n and n + 8 of two neighbouring rows, as <see cref="WarpMatrix"/> leaves them.</summary>
internal static class OutputSquare
{
    /// <summary>Outputs between the two.</summary>
    public const int Apart = WarpMatrix.Outputs / 2;

    /// <summary>A lane's first output of a panel.</summary>
    public static int OutputOf(int panel) => panel * WarpMatrix.Outputs + WarpMatrix.Line;

    /// <summary>A lane's first row of a tile of 8.</summary>
    public static int RowOf(int tile) => tile * WarpMatrix.Rows + WarpMatrix.Sharer * 2;

    /// <summary>Stores those of them that there are, with their biases.</summary>
    /// <param name="output">The first.</param>
    /// <param name="row">The first.</param>
    /// <param name="firstOutput">Column of the matrix' first output.</param>
    /// <param name="stride">Elements of a row of y.</param>
    public static void Store(
        Float4 sums, ArrayView<float> bias, ArrayView<float> y, int output, int row, int rows, int outputs, int firstOutput, int stride)
    {
        var at = (long)row * stride + firstOutput + output;
        if (output < outputs)
        {
            Store(sums.X, sums.Y, bias[output], y, at, row, rows, stride);
        }

        if (output + Apart < outputs)
        {
            Store(sums.Z, sums.W, bias[output + Apart], y, at + Apart, row, rows, stride);
        }
    }

    /// <summary>The same for rows that do not lie one behind the other.</summary>
    /// <param name="constants">Where the biases of the matrix begin.</param>
    /// <param name="at">Where the first row begins, at the matrix' first output.</param>
    /// <param name="nextAt">The second.</param>
    /// <param name="hasNext">Whether there is a second.</param>
    public static void StoreRouted(
        Float4 sums, ArrayView<float> bias, long constants, ArrayView<float> y, int output, int outputs, long at, long nextAt, bool hasNext)
    {
        if (output < outputs)
        {
            StoreRouted(sums.X, sums.Y, bias[constants + output], y, at + output, nextAt + output, hasNext);
        }

        if (output + Apart < outputs)
        {
            StoreRouted(sums.Z, sums.W, bias[constants + output + Apart], y, at + output + Apart, nextAt + output + Apart, hasNext);
        }
    }

    private static void StoreRouted(float sum, float next, float bias, ArrayView<float> y, long at, long nextAt, bool hasNext)
    {
        y[at] = sum + bias;
        if (hasNext)
        {
            y[nextAt] = next + bias;
        }
    }

    private static void Store(float sum, float next, float bias, ArrayView<float> y, long at, int row, int rows, int stride)
    {
        if (row < rows)
        {
            y[at] = sum + bias;
        }

        if (row + 1 < rows)
        {
            y[at + stride] = next + bias;
        }
    }
}
