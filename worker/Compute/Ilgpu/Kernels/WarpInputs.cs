using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How a lane of <see cref="WarpLinear"/> comes by its inputs: of row lane / 4 of a tile of 8, the eight that stand beside those
/// of its weights.</summary>
internal interface IWarpInputs
{
    /// <summary>16-bit floats of an input.</summary>
    int Terms { get; }

    /// <summary>From this lane's first inputs on.</summary>
    /// <param name="tile">Of 8 rows; past the last, rows are some that there are.</param>
    /// <param name="parts">See <see cref="ITileWeights.Parts"/>.</param>
    /// <param name="steps">Of the weights, those of all warps.</param>
    ArrayView<float> RowOf(ArrayView<float> x, int tile, int rows, int inputs, int parts, int steps);

    /// <summary>Goes on.</summary>
    /// <param name="steps">Of the weights.</param>
    ArrayView<float> Skip(ArrayView<float> from, int steps, int parts);

    /// <param name="from">This lane's inputs of a step, and all behind.</param>
    /// <param name="left">Inputs of the row from there on.</param>
    /// <param name="step">Of the weights, counted from there.</param>
    InputTerms Read(ArrayView<float> from, int left, int step, int part, int parts);
}

/// <summary>Inputs that are split where they are read.</summary>
internal readonly struct FloatInputs<TTerms, TInput> : IWarpInputs
    where TTerms : struct, ITerms
    where TInput : struct, IInput
{
    /// <summary>Inputs of a part of a step.</summary>
    private const int StepInputs = 8 * WarpMatrix.Quad;

    public int Terms => default(TTerms).Count;

    public ArrayView<float> RowOf(ArrayView<float> x, int tile, int rows, int inputs, int parts, int steps) =>
        RowOf(x, IntrinsicMath.Min(tile * WarpMatrix.Rows + WarpMatrix.Line, rows - 1), inputs, parts);

    /// <summary>From this lane's first inputs of a row on.</summary>
    public ArrayView<float> RowOf(ArrayView<float> x, int row, int inputs, int parts) =>
        Skip(x, (long)row * inputs + WarpMatrix.Sharer * parts * 8);

    public ArrayView<float> Skip(ArrayView<float> from, int steps, int parts) => Skip(from, steps * parts * StepInputs);

    private static ArrayView<float> Skip(ArrayView<float> from, long inputs) =>
        from.SubView(Guarded.Within(inputs, from.Length - default(TInput).Least));

    public InputTerms Read(ArrayView<float> from, int left, int step, int part, int parts)
    {
        var eight = default(TInput).Octet(from, step * parts * StepInputs + part * 8, left);
        return default(TTerms).Split(eight.Low, eight.High);
    }
}

/// <summary>Inputs that <see cref="SplitRows"/> has split; a tile is half of one of those there.</summary>
internal readonly struct SplitInputs<TTerms> : IWarpInputs
    where TTerms : struct, ITerms
{
    public int Terms => default(TTerms).Count;

    public ArrayView<float> RowOf(ArrayView<float> x, int tile, int rows, int inputs, int parts, int steps)
    {
        var own = IntrinsicMath.Min(tile, (rows - 1) / WarpMatrix.Rows);
        var piece = SplitRows.PlaceOf(own >> 1, steps * parts, Terms) + WarpMatrix.Sharer * MatrixCore.Tile + (own & 1) * WarpMatrix.Rows
            + WarpMatrix.Line;
        return x.SubView(4 * piece);
    }

    // In pieces: of three terms' floats ILGPU would not see that they lie at multiples of 16 bytes.
    public ArrayView<float> Skip(ArrayView<float> from, int steps, int parts) =>
        from.Cast<UInt4>().SubView(Guarded.Within(steps * parts * Terms * SplitRows.Pair, from.Length / 4)).Cast<float>();

    public InputTerms Read(ArrayView<float> from, int left, int step, int part, int parts)
    {
        var pieces = from.Cast<UInt4>().SubView((step * parts + part) * Terms * SplitRows.Pair);
        InputTerms all = default;
        all.A = pieces[0];
        if (Terms > 1)
        {
            all.B = pieces[SplitRows.Pair];
            all.C = pieces[2 * SplitRows.Pair];
        }

        return all;
    }
}
