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

    /// <summary>Inputs that <see cref="Octet"/> must find behind it.</summary>
    int Least { get; }

    /// <summary>Inputs <paramref name="k"/> to <paramref name="k"/> + 7, without a branch; zeros past the last.</summary>
    /// <param name="left">Inputs that there are.</param>
    InputOctet Octet(ArrayView<float> x, int k, int left);
}

/// <summary>Eight neighbouring inputs.</summary>
internal struct InputOctet
{
    public Float4 Low;
    public Float4 High;
}

/// <summary>16 bytes at a time: rows of whole quads.</summary>
internal readonly struct QuadInput : IInput
{
    public Float4 Quad(ArrayView<float> x, long row, int k, int length) =>
        k < length ? x.Cast<Float4>()[(row + k) >> 2] : default;

    public int Least => 4;

    public InputOctet Octet(ArrayView<float> x, int k, int left)
    {
        var quads = x.Cast<Float4>();
        var last = quads.Length - 1;
        InputOctet eight;
        eight.Low = Guarded.Read(ref quads[Guarded.Within(k / 4, last)], k < left);
        eight.High = Guarded.Read(ref quads[Guarded.Within(k / 4 + 1, last)], k + 4 < left);
        return eight;
    }
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

    public int Least => 0;

    public InputOctet Octet(ArrayView<float> x, int k, int left)
    {
        InputOctet eight;
        eight.Low = Quad(x, 0, k, left);
        eight.High = Quad(x, 0, k + 4, left);
        return eight;
    }
}
