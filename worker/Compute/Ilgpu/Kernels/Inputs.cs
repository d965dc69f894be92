using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How four neighbouring inputs are read.</summary>
internal interface IInput
{
    /// <summary>Inputs k to k + 3 of a row; zeros past the last.</summary>
    /// <param name="row">First element of the row.</param>
    /// <param name="length">Of the row.</param>
    Float4 Quad(ArrayView<float> x, long row, int k, int length);
}

/// <summary>16 bytes at a time: rows of whole quads.</summary>
internal readonly struct QuadInput : IInput
{
    public Float4 Quad(ArrayView<float> x, long row, int k, int length) =>
        k < length ? x.Cast<Float4>()[(row + k) >> 2] : default;
}

/// <summary>One by one: rows of any length.</summary>
internal readonly struct AnyInput : IInput
{
    public Float4 Quad(ArrayView<float> x, long row, int k, int length)
    {
        Float4 values;
        values.X = k < length ? x[row + k] : 0f;
        values.Y = k + 1 < length ? x[row + k + 1] : 0f;
        values.Z = k + 2 < length ? x[row + k + 2] : 0f;
        values.W = k + 3 < length ? x[row + k + 3] : 0f;
        return values;
    }
}
