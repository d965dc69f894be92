using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How weights come to be the eight 16-bit floats that a lane of <see cref="TileLinear"/> puts into shared memory, and that a lane
/// of <see cref="WarpLinear"/> multiplies.</summary>
internal interface ITileWeights
{
    /// <summary>Whether pieces are multiplied as they are.</summary>
    bool AreWhole { get; }

    /// <summary>Steps of 32 inputs that four pieces make: eighths of a piece's weights.</summary>
    int Parts { get; }

    /// <summary>See <see cref="IWeightFormat.ScaleOf"/>.</summary>
    PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, int output, int padded, int piece);

    /// <summary>Weights 8·part to 8·part + 7 of a piece.</summary>
    UInt4 Decode(UInt4 codes, int part, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, int output, int padded);
}

/// <summary>16-bit weights are there as they are.</summary>
internal readonly struct WholePieces : ITileWeights
{
    public bool AreWhole => true;

    public int Parts => 1;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, int output, int padded, int piece) => default;

    public UInt4 Decode(UInt4 codes, int part, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, int output, int padded) =>
        codes;
}

/// <summary>Codes, decoded in registers and rounded, as <see cref="RoundedProduct{TFormat, THalf, TInput}"/> does.</summary>
internal readonly struct RoundedCodes<TFormat, THalf> : ITileWeights
    where TFormat : struct, IWeightFormat
    where THalf : struct, IHalfFormat
{
    public bool AreWhole => false;

    public int Parts => default(TFormat).Elements / 8;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, int output, int padded, int piece) =>
        default(TFormat).ScaleOf(tables, groups, 0, output, padded, piece);

    public UInt4 Decode(UInt4 codes, int part, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, int output, int padded)
    {
        var term = default(RoundedTerm<THalf>);
        var low = default(TFormat).Quad(codes, 2 * part, scale, tables, groups, 0, output, padded, 0);
        var high = default(TFormat).Quad(codes, 2 * part + 1, scale, tables, groups, 0, output, padded, 0);
        UInt4 weights;
        weights.X = term.Pair(low.X, low.Y, 0);
        weights.Y = term.Pair(low.Z, low.W, 0);
        weights.Z = term.Pair(high.X, high.Y, 0);
        weights.W = term.Pair(high.Z, high.W, 0);
        return weights;
    }
}
