using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>A lane's outputs n and n + 8 of two neighbouring rows, as <see cref="WarpMatrix"/> leaves them.</summary>
internal static class OutputSquare
{
    /// <summary>Outputs between the two.</summary>
    public const int Apart = WarpMatrix.Outputs / 2;

    /// <summary>A lane's first output of a panel.</summary>
    public static int OutputOf(int panel) => panel * WarpMatrix.Outputs + WarpMatrix.Lane / WarpMatrix.Quad;

    /// <summary>A lane's first row of a tile of 8.</summary>
    public static int RowOf(int tile) => tile * WarpMatrix.Rows + WarpMatrix.Lane % WarpMatrix.Quad * 2;

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
