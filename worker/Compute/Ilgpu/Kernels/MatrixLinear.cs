using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Rows times weights on matrix cores: a group has a tile of 16 outputs and 16 rows, its waves share the inputs. Weights are
/// decoded to fp32 in registers, whatever they are kept in; rows that a small batch lacks are padded, which costs nothing where the
/// weights' way from memory is the limit.</summary>
/// <remarks>Layouts are those of <see cref="Linear"/>. A wave takes a contiguous part of the pieces, four at a time (a lane has output
/// lane % 16 and the piece lane / 16 of four); the waves' sums are added in their order. So every output is summed in one order, whatever
/// rows are multiplied beside it.</remarks>
internal static class MatrixLinear
{
    /// <summary>Rows of a group, and of a tile of one expert's rows.</summary>
    public const int Rows = MatrixCore.Tile;

    /// <summary>Pieces that the lanes of a wave take at once.</summary>
    private const int PiecesAtOnce = Wave.Lanes / MatrixCore.Tile;

    /// <summary>See <see cref="Linear.Multiply"/>; grid (panels of outputs, tiles of rows).</summary>
    public static void Multiply<TFormat, TInput>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int inputs, int pieces, int outputs, int padded, int firstOutput, int stride)
        where TFormat : struct, IWeightFormat
        where TInput : struct, IInput
    {
        var row = Grid.IdxY * Rows + Group.IdxX % MatrixCore.Tile;
        var source = (long)Native.Min(row, rows - 1) * inputs;
        var sums = Sum<TFormat, TInput>(x, codes, tables, groups, source, inputs, 0, 0, pieces, padded);
        if (Group.IdxY == 0 && row < rows)
        {
            Store(sums, bias, y, 0, (long)row * stride + firstOutput, outputs);
        }
    }

    /// <summary>See <see cref="Linear.MultiplyExperts"/>; grid (panels of outputs, tiles).</summary>
    public static void MultiplyExperts<TFormat, TInput>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<int> tiles, ArrayView<int> order, ArrayView<float> y, int inputs, int pieces, int outputs, int padded, int firstOutput,
        int stride, int perSource, int codesStride, int tablesStride, int groupsStride)
        where TFormat : struct, IWeightFormat
        where TInput : struct, IInput
    {
        var expert = tiles[3 * Grid.IdxY];
        var first = tiles[3 * Grid.IdxY + 1];
        var rows = tiles[3 * Grid.IdxY + 2];
        if (rows == 0)
        {
            return;
        }

        var row = Group.IdxX % MatrixCore.Tile;
        var routed = order[first + Native.Min(row, rows - 1)];
        var sums = Sum<TFormat, TInput>(
            x, codes.SubView((long)expert * codesStride), tables, groups.SubView((long)expert * groupsStride),
            (long)(routed / perSource) * inputs, inputs, 0, (long)expert * tablesStride, pieces, padded);
        if (Group.IdxY == 0 && row < rows)
        {
            Store(sums, bias, y, expert * padded, (long)routed * stride + firstOutput, outputs);
        }
    }

    /// <summary>A lane's four outputs of its row, in the first wave.</summary>
    private static Float4 Sum<TFormat, TInput>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, long row, int inputs, long firstCode,
        long firstTable, int pieces, int padded)
        where TFormat : struct, IWeightFormat
        where TInput : struct, IInput
    {
        var partial = SharedMemory.Allocate<Float4>(Wave.Lanes * Wave.MaxWaves);
        var format = default(TFormat);
        var input = default(TInput);
        var lane = Group.IdxX;
        var output = Grid.IdxX * Linear.Panel + lane % MatrixCore.Tile;
        var steps = (pieces + PiecesAtOnce - 1) / PiecesAtOnce;
        var ofWave = (steps + Group.DimY - 1) / Group.DimY;
        var at = firstCode + (long)Grid.IdxX * pieces * Linear.Panel + lane % MatrixCore.Tile;
        Float4 sums = default;

        // All waves go round as often: pieces past the last have inputs past the last, which are zeros.
        for (var step = 0; step < ofWave; step++)
        {
            var piece = (Group.IdxY * ofWave + step) * PiecesAtOnce + lane / MatrixCore.Tile;
            var present = Native.Min(piece, pieces - 1);
            var code = codes[at + (long)present * Linear.Panel];
            var scale = format.ScaleOf(tables, groups, firstTable, output, padded, present);
            for (var quad = 0; quad < format.Elements / 4; quad++)
            {
                var weights = format.Quad(code, quad, scale, tables, groups, firstTable, output, padded, present);
                var values = input.Quad(x, row, piece * format.Elements + 4 * quad, inputs);
                sums = MatrixCore.MultiplyAdd(weights.X, values.X, sums);
                sums = MatrixCore.MultiplyAdd(weights.Y, values.Y, sums);
                sums = MatrixCore.MultiplyAdd(weights.Z, values.Z, sums);
                sums = MatrixCore.MultiplyAdd(weights.W, values.W, sums);
            }
        }

        partial[Group.IdxY * Wave.Lanes + lane] = sums;
        Group.Barrier();
        for (var wave = 1; wave < Group.DimY; wave++)
        {
            var other = partial[wave * Wave.Lanes + lane];
            sums.X += other.X;
            sums.Y += other.Y;
            sums.Z += other.Z;
            sums.W += other.W;
        }

        return sums;
    }

    private static void Store(Float4 sums, ArrayView<float> bias, ArrayView<float> y, int firstBias, long row, int outputs)
    {
        var output = Grid.IdxX * Linear.Panel + 4 * (Group.IdxX / MatrixCore.Tile);
        if (output < outputs)
        {
            y[row + output] = sums.X + bias[firstBias + output];
        }

        if (output + 1 < outputs)
        {
            y[row + output + 1] = sums.Y + bias[firstBias + output + 1];
        }

        if (output + 2 < outputs)
        {
            y[row + output + 2] = sums.Z + bias[firstBias + output + 2];
        }

        if (output + 3 < outputs)
        {
            y[row + output + 3] = sums.W + bias[firstBias + output + 3];
        }
    }
}
