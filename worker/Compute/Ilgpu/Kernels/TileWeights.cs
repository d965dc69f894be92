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

/// <summary>Integer codes in groups, decoded in registers without a conversion, which takes four times as long as other arithmetic on
/// NVIDIA's GPUs; the weights are those of <see cref="RoundedCodes{TFormat, THalf}"/> of
/// <see cref="GroupedWeights{TWidth, TScales}"/>.</summary>
internal readonly struct RoundedIntegers<TWidth, TScales, THalf> : ITileWeights
    where TWidth : struct, ICodeWidth
    where TScales : struct, IScaleFormat
    where THalf : struct, IHalfFormat
{
    public bool AreWhole => false;

    public int Parts => default(TWidth).Elements / 8;

    public PieceScale ScaleOf(ArrayView<uint> tables, ArrayView<int> groups, int output, int padded, int piece) =>
        Behind(default(GroupedWeights<TWidth, TScales>).ScaleOf(tables, groups, 0, output, padded, piece));

    /// <summary>The zero negative, and 2²³ away: added to a code behind that, it leaves the difference of both, exactly.</summary>
    public static PieceScale Behind(PieceScale scale)
    {
        scale.Zero = -scale.Zero - WholeFloat.Value;
        return scale;
    }

    public UInt4 Decode(UInt4 codes, int part, PieceScale scale, ArrayView<uint> tables, ArrayView<int> groups, int output, int padded)
    {
        var low = default(TWidth).QuadBehind(codes, 2 * part);
        var high = default(TWidth).QuadBehind(codes, 2 * part + 1);
        UInt4 weights;
        weights.X = Pair(low.X, low.Y, scale);
        weights.Y = Pair(low.Z, low.W, scale);
        weights.Z = Pair(high.X, high.Y, scale);
        weights.W = Pair(high.Z, high.W, scale);
        return weights;
    }

    private static uint Pair(float low, float high, PieceScale scale) =>
        default(THalf).NarrowPair((low + scale.Zero) * scale.Scale, (high + scale.Zero) * scale.Scale);
}
