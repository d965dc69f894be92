using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Rows times weights on matrix cores where the weights' way from memory is the limit: a group has 16 outputs and up to 64 rows,
/// and reads its weights once, 16 bytes a lane at a time. Weights are decoded in registers, whatever they are kept in; rows that a small
/// batch lacks are padded, which costs nothing.</summary>
/// <remarks>
/// Layouts are those of <see cref="Linear"/>. Inputs are walked in steps of four pieces (<see cref="IPieceProduct"/>), and each wave has a
/// contiguous part of the steps; the waves' sums are added in their order. So every output is summed in one order, whatever rows are
/// multiplied beside it, and <see cref="TileLinear"/> keeps the same.
/// <code>
/// wave 0: steps 0, 1, 2, 3 | 4, 5, 6, 7 | …     a bar: the pieces of the next four steps are on their way
/// wave 1: steps n, n + 1, …                     while those of the last four are multiplied
/// </code>
/// </remarks>
internal static class MatrixLinear
{
    /// <summary>Pieces that the lanes of a wave take at once.</summary>
    public const int PiecesAtOnce = Wave.Lanes / MatrixCore.Tile;

    /// <summary>Steps whose weights are loaded together.</summary>
    public const int StepsAtOnce = 4;

    /// <summary>Bytes of weights that a wave has on their way.</summary>
    public const int BytesInFlight = StepsAtOnce * Wave.Lanes * 16;

    /// <summary>Steps of a wave: whole loads of <see cref="StepsAtOnce"/>, where there are many an even number of loads. Pieces past the
    /// last have inputs past the last, which are zeros.</summary>
    /// <param name="pieces">Of an output.</param>
    public static int StepsOfWave(int pieces, int waves)
    {
        var loads = ((pieces + PiecesAtOnce - 1) / PiecesAtOnce + waves * StepsAtOnce - 1) / (waves * StepsAtOnce);
        return (loads > 3 ? (loads + 1) / 2 * 2 : loads) * StepsAtOnce;
    }

    /// <summary>See <see cref="Linear.Multiply"/>; grid (panels of outputs, groups of row tiles).</summary>
    public static void Multiply<TProduct, TTiles>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int inputs, int pieces, int outputs, int padded, int firstOutput, int stride)
        where TProduct : struct, IPieceProduct
        where TTiles : struct, IRowTiles
    {
        var product = default(TProduct);
        var steps = StepsOfWave(pieces, Group.DimY) * Group.DimY;
        var tile = Grid.IdxY * default(TTiles).Count;
        var sums = Sum<TProduct, TTiles>(
            x, codes, Grid.IdxX, new OutputTables(tables, groups, 0, OutputOf(Grid.IdxX), padded),
            product.SourceOf(tile, rows, inputs, steps),
            product.SourceOf(tile + 1, rows, inputs, steps), product.SourceOf(tile + 2, rows, inputs, steps),
            product.SourceOf(tile + 3, rows, inputs, steps), inputs, pieces);
        for (var i = 0; i < default(TTiles).Count; i++)
        {
            var sum = OverWaves(Of(sums, i));
            var row = (tile + i) * MatrixCore.Tile + Group.IdxX % MatrixCore.Tile;
            if (Group.IdxY == 0 && row < rows)
            {
                OutputQuad.Store(sum, bias, 0, y, (long)row * stride + firstOutput, FirstOutput(), outputs);
            }
        }
    }

    /// <summary>See <see cref="Linear.MultiplyExperts"/>; grid (panels of outputs, tiles of up to 16 times as many rows as
    /// <typeparamref name="TTiles"/> counts).</summary>
    public static void MultiplyExperts<TProduct, TTiles>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<int> tiles, ArrayView<int> order, ArrayView<float> y, int inputs, int pieces, int outputs, int padded, int firstOutput,
        int stride, int perSource, int codesStride, int tablesStride, int groupsStride)
        where TProduct : struct, IPieceProduct
        where TTiles : struct, IRowTiles
    {
        var expert = tiles[3 * Grid.IdxY];
        var first = tiles[3 * Grid.IdxY + 1];
        var rows = tiles[3 * Grid.IdxY + 2];
        if (rows == 0)
        {
            return;
        }

        var row = Group.IdxX % MatrixCore.Tile;
        var routed0 = order[first + Native.Min(row, rows - 1)];
        var routed1 = order[first + Native.Min(row + MatrixCore.Tile, rows - 1)];
        var routed2 = order[first + Native.Min(row + 2 * MatrixCore.Tile, rows - 1)];
        var routed3 = order[first + Native.Min(row + 3 * MatrixCore.Tile, rows - 1)];
        var sums = Sum<TProduct, TTiles>(
            x, codes.SubView((long)expert * codesStride), Grid.IdxX,
            new OutputTables(
                tables, groups.SubView((long)expert * groupsStride), (long)expert * tablesStride, OutputOf(Grid.IdxX), padded),
            (long)(routed0 / perSource) * inputs, (long)(routed1 / perSource) * inputs, (long)(routed2 / perSource) * inputs,
            (long)(routed3 / perSource) * inputs, inputs, pieces);
        for (var i = 0; i < default(TTiles).Count; i++)
        {
            var sum = OverWaves(Of(sums, i));
            if (Group.IdxY == 0 && row + i * MatrixCore.Tile < rows)
            {
                var routed = i == 0 ? routed0 : i == 1 ? routed1 : i == 2 ? routed2 : routed3;
                OutputQuad.Store(
                    sum, bias, (long)expert * padded, y, (long)routed * stride + firstOutput, FirstOutput(), outputs);
            }
        }
    }

    /// <summary>See <see cref="Linear.MultiplyGated"/>, for up to 16 rows and whole panels of gates; grid (panels of gates).</summary>
    public static void MultiplyGated<TProduct>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int inputs, int pieces, int half, int padded, int activation)
        where TProduct : struct, IPieceProduct
    {
        var source = default(TProduct).SourceOf(0, rows, inputs, StepsOfWave(pieces, Group.DimY) * Group.DimY);
        var upPanel = Grid.IdxX + half / Linear.Panel;
        var gates = OverWaves(Sum<TProduct, OneTile>(
            x, codes, Grid.IdxX, new OutputTables(tables, groups, 0, OutputOf(Grid.IdxX), padded), source, source, source, source, inputs,
            pieces).A);
        var ups = OverWaves(Sum<TProduct, OneTile>(
            x, codes, upPanel, new OutputTables(tables, groups, 0, OutputOf(upPanel), padded), source, source, source, source, inputs,
            pieces).A);
        var row = Group.IdxX % MatrixCore.Tile;
        if (Group.IdxY == 0 && row < rows)
        {
            var output = FirstOutput();
            var at = (long)row * half + output;
            y[at] = GateFunctions.Apply(activation, gates.X + bias[output]) * (ups.X + bias[output + half]);
            y[at + 1] = GateFunctions.Apply(activation, gates.Y + bias[output + 1]) * (ups.Y + bias[output + 1 + half]);
            y[at + 2] = GateFunctions.Apply(activation, gates.Z + bias[output + 2]) * (ups.Z + bias[output + 2 + half]);
            y[at + 3] = GateFunctions.Apply(activation, gates.W + bias[output + 3]) * (ups.W + bias[output + 3 + half]);
        }
    }

    /// <summary>A lane's first output as a result.</summary>
    private static int FirstOutput() => Grid.IdxX * Linear.Panel + 4 * (Group.IdxX / MatrixCore.Tile);

    /// <summary>A lane's output of a panel as the left operand.</summary>
    private static int OutputOf(int panel) => panel * Linear.Panel + Group.IdxX % MatrixCore.Tile;

    /// <summary>A lane's four outputs of its row of each tile: this wave's part of the inputs.</summary>
    private static TileSums Sum<TProduct, TTiles>(
        ArrayView<float> x, ArrayView<UInt4> codes, int panel, OutputTables tables, long source0, long source1, long source2, long source3,
        int inputs, int pieces)
        where TProduct : struct, IPieceProduct
        where TTiles : struct, IRowTiles
    {
        var ofWave = StepsOfWave(pieces, Group.DimY);
        var first = Group.IdxY * ofWave;
        var last = first + ofWave - StepsAtOnce;
        var code0 = Read(codes, panel, first, pieces);
        var code1 = Read(codes, panel, first + 1, pieces);
        var code2 = Read(codes, panel, first + 2, pieces);
        var code3 = Read(codes, panel, first + 3, pieces);
        TileSums sums = default;
        for (var step = first; step <= last; step += StepsAtOnce)
        {
            var own0 = code0;
            var own1 = code1;
            var own2 = code2;
            var own3 = code3;

            // In the last round the same again: it is still near.
            var next = Native.Min(step + StepsAtOnce, last);
            code0 = Read(codes, panel, next, pieces);
            code1 = Read(codes, panel, next + 1, pieces);
            code2 = Read(codes, panel, next + 2, pieces);
            code3 = Read(codes, panel, next + 3, pieces);
            sums = Add<TProduct, TTiles>(own0, tables, x, source0, source1, source2, source3, inputs, step, pieces, sums);
            sums = Add<TProduct, TTiles>(own1, tables, x, source0, source1, source2, source3, inputs, step + 1, pieces, sums);
            sums = Add<TProduct, TTiles>(own2, tables, x, source0, source1, source2, source3, inputs, step + 2, pieces, sums);
            sums = Add<TProduct, TTiles>(own3, tables, x, source0, source1, source2, source3, inputs, step + 3, pieces, sums);
        }

        return sums;
    }

    private static TileSums Add<TProduct, TTiles>(
        UInt4 code, OutputTables tables, ArrayView<float> x, long source0, long source1, long source2, long source3, int inputs, int step,
        int pieces, TileSums sums)
        where TProduct : struct, IPieceProduct
        where TTiles : struct, IRowTiles
    {
        var product = default(TProduct);
        var present = Present(step, pieces);
        var scale = product.ScaleOf(tables, present);
        sums.A = product.Add(code, scale, tables, x, source0, inputs, step, present, sums.A);
        if (default(TTiles).Count > 1)
        {
            sums.B = product.Add(code, scale, tables, x, source1, inputs, step, present, sums.B);
        }

        if (default(TTiles).Count > 2)
        {
            sums.C = product.Add(code, scale, tables, x, source2, inputs, step, present, sums.C);
            sums.D = product.Add(code, scale, tables, x, source3, inputs, step, present, sums.D);
        }

        return sums;
    }

    private static int Present(int step, int pieces) => Native.Min(step * PiecesAtOnce + Group.IdxX / MatrixCore.Tile, pieces - 1);

    private static UInt4 Read(ArrayView<UInt4> codes, int panel, int step, int pieces) =>
        codes[((long)panel * pieces + Present(step, pieces)) * Linear.Panel + Group.IdxX % MatrixCore.Tile];

    private static Float4 Of(TileSums sums, int tile) => tile == 0 ? sums.A : tile == 1 ? sums.B : tile == 2 ? sums.C : sums.D;

    /// <summary>The sum of all waves' parts, in the first wave.</summary>
    private static Float4 OverWaves(Float4 sums)
    {
        var partial = SharedMemory.Allocate<Float4>(Wave.Lanes * Wave.MaxWaves);
        var lane = Group.IdxX;
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

        Group.Barrier();
        return sums;
    }

    /// <summary>Of up to four tiles.</summary>
    private struct TileSums
    {
        public Float4 A;
        public Float4 B;
        public Float4 C;
        public Float4 D;
    }
}
