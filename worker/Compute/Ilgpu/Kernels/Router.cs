using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>A few rows' logits and the choice of their experts in one launch: the last of the groups that multiply a row's logits chooses
/// (<see cref="Arrivals"/>). The bits are those of a linear layer and <see cref="Experts.Route"/>.</summary>
/// <remarks>Parameters as of these two; <c>logits</c> are left as they would be, <c>arrivals</c> are zeros, one for each group of rows.
/// </remarks>
internal static class Router
{
    /// <summary>Grid and groups as of <see cref="Linear.Multiply"/>.</summary>
    public static void Multiply<TFormat>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groupOf, ArrayView<float> bias,
        ArrayView<float> logits, ArrayView<float> correction, ArrayView<int> experts, ArrayView<float> weights, ArrayView<uint> arrivals,
        int rows, int inputs, int pieces, int count, int padded, int rowWaves, int chosen, int scoring, int byLogits, int corrects,
        int groups, int groupsChosen, int groupScore, int normalize, float minSum, float scale, float jitter)
        where TFormat : struct, IWeightFormat
    {
        Linear.Multiply<TFormat, QuadInput>(
            x, codes, tables, groupOf, bias, logits, rows, inputs, pieces, count, padded, 0, count, rowWaves);
        Choose(
            Linear.Rows * rowWaves, logits, correction, experts, weights, arrivals, rows, count, chosen, scoring, byLogits, corrects,
            groups, groupsChosen, groupScore, normalize, minSum, scale, jitter);
    }

    /// <summary>Grid and groups as of <see cref="MatrixLinear.Multiply"/>, in tiles of 16 rows.</summary>
    public static void MultiplyTiles<TProduct>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groupOf, ArrayView<float> bias,
        ArrayView<float> logits, ArrayView<float> correction, ArrayView<int> experts, ArrayView<float> weights, ArrayView<uint> arrivals,
        int rows, int inputs, int pieces, int count, int padded, int chosen, int scoring, int byLogits, int corrects, int groups,
        int groupsChosen, int groupScore, int normalize, float minSum, float scale, float jitter)
        where TProduct : struct, IPieceProduct
    {
        MatrixLinear.Multiply<TProduct, OneTile>(
            x, codes, tables, groupOf, bias, logits, rows, inputs, pieces, count, padded, 0, count);
        Choose(
            MatrixCore.Tile, logits, correction, experts, weights, arrivals, rows, count, chosen, scoring, byLogits, corrects,
            groups, groupsChosen, groupScore, normalize, minSum, scale, jitter);
    }

    /// <summary>Grid and groups as of <see cref="WarpLinear.Multiply"/>, in tiles of 16 rows.</summary>
    public static void MultiplyWarps<TWeights, THalf, TInputs>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groupOf, ArrayView<float> bias,
        ArrayView<float> logits, ArrayView<float> correction, ArrayView<int> experts, ArrayView<float> weights, ArrayView<uint> arrivals,
        int rows, int inputs, int pieces, int count, int padded, int chosen, int scoring, int byLogits, int corrects, int groups,
        int groupsChosen, int groupScore, int normalize, float minSum, float scale, float jitter)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
    {
        WarpLinear.Multiply<TWeights, THalf, TInputs, TwoTiles>(
            x, codes, tables, groupOf, bias, logits, rows, inputs, pieces, count, padded, 0, count);
        Choose(
            default(TwoTiles).Count * WarpMatrix.Rows, logits, correction, experts, weights, arrivals, rows, count, chosen, scoring,
            byLogits, corrects, groups, groupsChosen, groupScore, normalize, minSum, scale, jitter);
    }

    private static void Choose(
        int rowsOfGroup, ArrayView<float> logits, ArrayView<float> correction, ArrayView<int> experts, ArrayView<float> weights,
        ArrayView<uint> arrivals, int rows, int count, int chosen, int scoring, int byLogits, int corrects, int groups, int groupsChosen,
        int groupScore, int normalize, float minSum, float scale, float jitter)
    {
        var place = SharedMemory.Allocate<int>(1);
        if (!Arrivals.IsLast(arrivals, Grid.IdxY, Grid.DimX, place))
        {
            return;
        }

        // A wave has a row; where there are fewer rows than waves, the others come along and write nothing.
        var end = Native.Min((Grid.IdxY + 1) * rowsOfGroup, rows);
        for (var row = Grid.IdxY * rowsOfGroup; row < end; row += Group.DimY)
        {
            Experts.RouteRow(
                Native.Min(row + Group.IdxY, end - 1), row + Group.IdxY < end, logits, correction, experts, weights, count, chosen,
                scoring, byLogits, corrects, groups, groupsChosen, groupScore, normalize, minSum, scale, jitter);
        }
    }
}
