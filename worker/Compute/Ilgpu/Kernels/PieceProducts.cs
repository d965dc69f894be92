using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>What decodes the weights of an output.</summary>
/// <param name="tables">Scales, zeros or entries.</param>
/// <param name="groups">The group of each input.</param>
/// <param name="first">First word of the matrix' tables.</param>
/// <param name="padded">Outputs of the matrix, padded.</param>
internal readonly struct OutputTables(ArrayView<uint> tables, ArrayView<int> groups, long first, int output, int padded)
{
    public readonly ArrayView<uint> Tables = tables;
    public readonly ArrayView<int> Groups = groups;
    public readonly long First = first;
    public readonly int Output = output;
    public readonly int Padded = padded;
}

/// <summary>How a wave multiplies pieces of 16 outputs with 16 rows. A lane has the piece of output lane % 16 that is lane / 16 behind the
/// step's first, and row lane % 16.</summary>
internal interface IPieceProduct
{
    /// <summary>Where the inputs of this lane's row begin.</summary>
    /// <param name="tile">Of 16 rows; past the last, rows are those of the last.</param>
    /// <param name="steps">As <see cref="SplitRows"/> has them.</param>
    long SourceOf(int tile, int rows, int inputs, int steps);

    /// <summary>Adds the products of a step.</summary>
    /// <param name="code">The lane's piece.</param>
    /// <param name="step">Of four pieces.</param>
    /// <param name="source">See <see cref="SourceOf"/>.</param>
    /// <param name="present">The piece, or the last.</param>
    Float4 Add(
        UInt4 code, PieceScale scale, OutputTables tables, ArrayView<float> x, long source, int inputs, int step, int present, Float4 sums);

    /// <summary>See <see cref="IWeightFormat.ScaleOf"/>.</summary>
    PieceScale ScaleOf(OutputTables tables, int present);
}

/// <summary>Weights of any kind, decoded to fp32 in registers, times fp32 inputs.</summary>
internal readonly struct FloatProduct<TFormat, TInput> : IPieceProduct
    where TFormat : struct, IWeightFormat
    where TInput : struct, IInput
{
    public long SourceOf(int tile, int rows, int inputs, int steps) => InputRows.SourceOf(tile, rows, inputs);

    public Float4 Add(
        UInt4 code, PieceScale scale, OutputTables tables, ArrayView<float> x, long source, int inputs, int step, int present, Float4 sums)
    {
        var elements = default(TFormat).Elements;
        var first = (step * MatrixLinear.PiecesAtOnce + Group.IdxX / MatrixCore.Tile) * elements;
        for (var quad = 0; quad < elements / 4; quad++)
        {
            var weights = default(TFormat).Quad(
                code, quad, scale, tables.Tables, tables.Groups, tables.First, tables.Output, tables.Padded, present);
            var values = default(TInput).Quad(x, source, first + 4 * quad, inputs);
            sums = MatrixCore.MultiplyAdd(weights.X, values.X, sums);
            sums = MatrixCore.MultiplyAdd(weights.Y, values.Y, sums);
            sums = MatrixCore.MultiplyAdd(weights.Z, values.Z, sums);
            sums = MatrixCore.MultiplyAdd(weights.W, values.W, sums);
        }

        return sums;
    }

    public PieceScale ScaleOf(OutputTables tables, int present) =>
        default(TFormat).ScaleOf(tables.Tables, tables.Groups, tables.First, tables.Output, tables.Padded, present);
}

/// <summary>16-bit weights as they are, times inputs that are split where they are read.</summary>
internal readonly struct HalfProduct<THalf, TTerms, TInput> : IPieceProduct
    where THalf : struct, IHalfFormat
    where TTerms : struct, ITerms
    where TInput : struct, IInput
{
    /// <summary>Weights in a piece.</summary>
    private const int Elements = 8;

    public long SourceOf(int tile, int rows, int inputs, int steps) => InputRows.SourceOf(tile, rows, inputs);

    public Float4 Add(
        UInt4 code, PieceScale scale, OutputTables tables, ArrayView<float> x, long source, int inputs, int step, int present, Float4 sums)
    {
        var terms = default(TTerms);
        var half = default(THalf);
        var k = (step * MatrixLinear.PiecesAtOnce + Group.IdxX / MatrixCore.Tile) * Elements;
        var low = default(TInput).Quad(x, source, k, inputs);
        var high = default(TInput).Quad(x, source, k + 4, inputs);
        for (var term = 0; term < terms.Count; term++)
        {
            sums = half.MultiplyAdd(code.X, code.Y, terms.Pair(low.X, low.Y, term), terms.Pair(low.Z, low.W, term), sums);
            sums = half.MultiplyAdd(code.Z, code.W, terms.Pair(high.X, high.Y, term), terms.Pair(high.Z, high.W, term), sums);
        }

        return sums;
    }

    public PieceScale ScaleOf(OutputTables tables, int present) => default;
}

/// <summary>16-bit weights as they are, times inputs that <see cref="SplitRows"/> has split.</summary>
internal readonly struct SplitProduct<THalf, TTerms> : IPieceProduct
    where THalf : struct, IHalfFormat
    where TTerms : struct, ITerms
{
    public long SourceOf(int tile, int rows, int inputs, int steps) =>
        SplitRows.PlaceOf(Native.Min(tile, (rows - 1) / MatrixCore.Tile), steps, default(TTerms).Count) + Group.IdxX;

    public Float4 Add(
        UInt4 code, PieceScale scale, OutputTables tables, ArrayView<float> x, long source, int inputs, int step, int present, Float4 sums)
    {
        var terms = default(TTerms);
        var half = default(THalf);
        var pieces = x.Cast<UInt4>();
        for (var term = 0; term < terms.Count; term++)
        {
            var values = pieces[source + (long)(step * terms.Count + term) * SplitRows.Pair];
            sums = half.MultiplyAdd(code.X, code.Y, values.X, values.Y, sums);
            sums = half.MultiplyAdd(code.Z, code.W, values.Z, values.W, sums);
        }

        return sums;
    }

    public PieceScale ScaleOf(OutputTables tables, int present) => default;
}

/// <summary>Weights of any kind, decoded and rounded to 16-bit floats in registers, times rounded inputs: what engines multiply that keep
/// activations in 16 bits, at the rate of 16-bit floats.</summary>
internal readonly struct RoundedProduct<TFormat, THalf, TInput> : IPieceProduct
    where TFormat : struct, IWeightFormat
    where THalf : struct, IHalfFormat
    where TInput : struct, IInput
{
    public long SourceOf(int tile, int rows, int inputs, int steps) => InputRows.SourceOf(tile, rows, inputs);

    public Float4 Add(
        UInt4 code, PieceScale scale, OutputTables tables, ArrayView<float> x, long source, int inputs, int step, int present, Float4 sums)
    {
        var term = default(RoundedTerm<THalf>);
        var elements = default(TFormat).Elements;
        var first = (step * MatrixLinear.PiecesAtOnce + Group.IdxX / MatrixCore.Tile) * elements;
        for (var quad = 0; quad < elements / 4; quad++)
        {
            var weights = default(TFormat).Quad(
                code, quad, scale, tables.Tables, tables.Groups, tables.First, tables.Output, tables.Padded, present);
            var values = default(TInput).Quad(x, source, first + 4 * quad, inputs);
            sums = default(THalf).MultiplyAdd(
                term.Pair(weights.X, weights.Y, 0), term.Pair(weights.Z, weights.W, 0), term.Pair(values.X, values.Y, 0),
                term.Pair(values.Z, values.W, 0), sums);
        }

        return sums;
    }

    public PieceScale ScaleOf(OutputTables tables, int present) =>
        default(TFormat).ScaleOf(tables.Tables, tables.Groups, tables.First, tables.Output, tables.Padded, present);
}
