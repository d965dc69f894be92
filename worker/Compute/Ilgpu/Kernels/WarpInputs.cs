using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How a lane of <see cref="WarpLinear"/> comes by its inputs: of row lane / 4 of a tile of 8, the eight that stand beside those
/// of its weights.</summary>
internal interface IWarpInputs
{
    /// <summary>16-bit floats of an input.</summary>
    int Terms { get; }

    /// <summary>Where the inputs of this lane's row begin.</summary>
    /// <param name="tile">Of 8 rows; past the last, rows are some that there are.</param>
    /// <param name="steps">As <see cref="SplitRows"/> has them.</param>
    long SourceOf(int tile, int rows, int inputs, int steps);

    /// <param name="source">See <see cref="SourceOf"/>.</param>
    /// <param name="inputs">Of a row.</param>
    /// <param name="k">The first.</param>
    /// <param name="step">Of 32 inputs.</param>
    InputTerms Read(ArrayView<float> x, long source, int inputs, int k, int step);
}

/// <summary>Inputs that are split where they are read.</summary>
internal readonly struct FloatInputs<TTerms, TInput> : IWarpInputs
    where TTerms : struct, ITerms
    where TInput : struct, IInput
{
    public int Terms => default(TTerms).Count;

    public long SourceOf(int tile, int rows, int inputs, int steps) =>
        (long)Native.Min(tile * WarpMatrix.Rows + WarpMatrix.Lane / WarpMatrix.Quad, rows - 1) * inputs;

    public InputTerms Read(ArrayView<float> x, long source, int inputs, int k, int step)
    {
        var low = default(TInput).Quad(x, source, k, inputs);
        var high = default(TInput).Quad(x, source, k + 4, inputs);
        return default(TTerms).Split(low, high);
    }
}

/// <summary>Inputs that <see cref="SplitRows"/> has split; a tile is half of one of those there.</summary>
internal readonly struct SplitInputs<TTerms> : IWarpInputs
    where TTerms : struct, ITerms
{
    public int Terms => default(TTerms).Count;

    public long SourceOf(int tile, int rows, int inputs, int steps)
    {
        var last = (rows - 1) / WarpMatrix.Rows;
        var own = Native.Min(tile, last);
        return SplitRows.PlaceOf(own / 2, steps, Terms) + WarpMatrix.Lane % WarpMatrix.Quad * MatrixCore.Tile + own % 2 * WarpMatrix.Rows
            + WarpMatrix.Lane / WarpMatrix.Quad;
    }

    public InputTerms Read(ArrayView<float> x, long source, int inputs, int k, int step)
    {
        var pieces = x.Cast<UInt4>();
        var at = source + (long)step * Terms * SplitRows.Pair;
        InputTerms all = default;
        all.A = pieces[at];
        if (Terms > 1)
        {
            all.B = pieces[at + SplitRows.Pair];
            all.C = pieces[at + 2 * SplitRows.Pair];
        }

        return all;
    }
}
