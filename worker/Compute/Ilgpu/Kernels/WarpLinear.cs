using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Rows times weights by matrix instructions of warps, as 16-bit floats, where the weights' way from memory is the limit: a group
/// has 16 outputs and up to 64 rows, and reads its weights once, 16 bytes a lane at a time. What <see cref="MatrixLinear"/> is for
/// waves.</summary>
/// <remarks>
/// Layouts are those of <see cref="Linear"/>. A step is four pieces of 16 outputs. An instruction takes any 16 inputs as long as weights
/// and inputs agree on them, and so a lane keeps the pieces as they come:
/// <code>
/// lane t: pieces t % 4 of outputs t / 4 and t / 4 + 8, piece t % 4 of row t / 4
///     words X, Y of the pieces → one instruction     words Z, W → the next
/// </code>
/// Pieces of codes become several of 16-bit floats, one after another (<see cref="ITileWeights.Parts"/>). Each warp has a contiguous part
/// of the steps; the warps' sums are added in their order. So every output is summed in one order, whatever rows are multiplied beside it,
/// and <see cref="WarpTileLinear"/> keeps the same. A group of eight warps has 32 KiB of weights on their way.
/// </remarks>
internal static class WarpLinear
{
    /// <summary>Pieces that the lanes of a warp take at once, of each output.</summary>
    public const int PiecesAtOnce = WarpMatrix.Quad;

    /// <summary>Steps whose weights are loaded together.</summary>
    public const int StepsAtOnce = 4;

    /// <summary>Steps of a warp: whole loads of <see cref="StepsAtOnce"/>. Pieces past the last have inputs past the last, which are
    /// zeros.</summary>
    /// <param name="pieces">Of an output.</param>
    public static int StepsOfWarp(int pieces, int warps) =>
        ((pieces + PiecesAtOnce - 1) / PiecesAtOnce + warps * StepsAtOnce - 1) / (warps * StepsAtOnce) * StepsAtOnce;

    /// <summary>See <see cref="Linear.Multiply"/>; grid (panels of outputs, groups of row tiles).</summary>
    public static void Multiply<TWeights, THalf, TInputs, TTiles>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int inputs, int pieces, int outputs, int padded, int firstOutput, int stride)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var tile = Grid.IdxY * default(TTiles).Count;
        var sums = Sum<TWeights, THalf, TInputs, TTiles>(
            x, codes, Grid.IdxX, new OutputTables(tables, groups, 0, OutputSquare.OutputOf(Grid.IdxX), padded),
            SourcesOf<TWeights, TInputs>(tile, rows, inputs, pieces), inputs, pieces);
        for (var i = 0; i < default(TTiles).Count; i++)
        {
            var sum = OverWarps(Of(sums, i));
            if (WarpMatrix.Warp == 0)
            {
                OutputSquare.Store(
                    sum, bias, y, OutputSquare.OutputOf(Grid.IdxX), OutputSquare.RowOf(tile + i), rows, outputs, firstOutput, stride);
            }
        }
    }

    /// <summary>See <see cref="Linear.MultiplyExperts"/>; grid (panels of outputs, tiles of up to 8 times as many rows as
    /// <typeparamref name="TTiles"/> counts). A row has the bits that its expert alone would give it, as a layer.</summary>
    public static void MultiplyExperts<TWeights, THalf, TInputs, TTiles>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<int> tiles, ArrayView<int> order, ArrayView<float> y, int inputs, int pieces, int outputs, int padded, int firstOutput,
        int stride, int perSource, int codesStride, int tablesStride, int groupsStride)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var expert = tiles[3 * Grid.IdxY];
        var first = tiles[3 * Grid.IdxY + 1];
        var rows = tiles[3 * Grid.IdxY + 2];
        if (rows == 0)
        {
            return;
        }

        var output = OutputSquare.OutputOf(Grid.IdxX);
        var sums = Sum<TWeights, THalf, TInputs, TTiles>(
            x, codes.SubView((long)expert * codesStride), Grid.IdxX,
            new OutputTables(
                tables.SubView((long)expert * tablesStride), groups.SubView((long)expert * groupsStride), 0, output, padded),
            SourcesOf<TTiles>(order, first, rows, perSource, inputs), inputs, pieces);
        for (var i = 0; i < default(TTiles).Count; i++)
        {
            var sum = OverWarps(Of(sums, i));
            var row = OutputSquare.RowOf(i);
            if (WarpMatrix.Warp == 0 && row < rows)
            {
                OutputSquare.StoreRouted(
                    sum, bias, (long)expert * padded, y, output, outputs, (long)order[first + row] * stride + firstOutput,
                    (long)order[first + Native.Min(row + 1, rows - 1)] * stride + firstOutput, row + 1 < rows);
            }
        }
    }

    /// <summary>See <see cref="Linear.MultiplyGated"/>, for up to 16 rows and whole panels of gates; grid (panels of gates).</summary>
    public static void MultiplyGated<TWeights, THalf, TInputs, TTiles>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int inputs, int pieces, int half, int padded, int activation)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var upPanel = Grid.IdxX + half / Linear.Panel;
        var sources = SourcesOf<TWeights, TInputs>(0, rows, inputs, pieces);
        var gates = Sum<TWeights, THalf, TInputs, TTiles>(
            x, codes, Grid.IdxX, new OutputTables(tables, groups, 0, OutputSquare.OutputOf(Grid.IdxX), padded), sources, inputs, pieces);
        var ups = Sum<TWeights, THalf, TInputs, TTiles>(
            x, codes, upPanel, new OutputTables(tables, groups, 0, OutputSquare.OutputOf(upPanel), padded), sources, inputs, pieces);
        var output = OutputSquare.OutputOf(Grid.IdxX);
        for (var i = 0; i < default(TTiles).Count; i++)
        {
            var gate = OverWarps(Of(gates, i));
            var up = OverWarps(Of(ups, i));
            if (WarpMatrix.Warp == 0)
            {
                var row = OutputSquare.RowOf(i);
                Gate(gate.X, up.X, bias, y, output, row, rows, half, activation);
                Gate(gate.Y, up.Y, bias, y, output, row + 1, rows, half, activation);
                Gate(gate.Z, up.Z, bias, y, output + OutputSquare.Apart, row, rows, half, activation);
                Gate(gate.W, up.W, bias, y, output + OutputSquare.Apart, row + 1, rows, half, activation);
            }
        }
    }

    /// <summary>Adds the products of eight of a lane's weights with eight of its inputs.</summary>
    /// <param name="low">Weights of the lane's first output.</param>
    /// <param name="high">Of its second.</param>
    public static Float4 MultiplyAdd<THalf>(UInt4 low, UInt4 high, UInt4 x, Float4 sums)
        where THalf : struct, IHalfFormat
    {
        sums = default(THalf).MultiplyAddOfWarp(low.X, high.X, low.Y, high.Y, x.X, x.Y, sums);
        return default(THalf).MultiplyAddOfWarp(low.Z, high.Z, low.W, high.W, x.Z, x.W, sums);
    }

    /// <summary>A lane's outputs of its rows of each tile: this warp's part of the inputs.</summary>
    private static TileSums Sum<TWeights, THalf, TInputs, TTiles>(
        ArrayView<float> x, ArrayView<UInt4> codes, int panel, OutputTables tables, TileSources sources, int inputs, int pieces)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var warps = Group.DimY * WarpMatrix.OfWave;
        var ofWarp = StepsOfWarp(pieces, warps);
        var first = WarpMatrix.Warp * ofWarp;
        var last = first + ofWarp - StepsAtOnce;
        var next0 = Read(codes, panel, first, pieces);
        var next1 = Read(codes, panel, first + 1, pieces);
        var next2 = Read(codes, panel, first + 2, pieces);
        var next3 = Read(codes, panel, first + 3, pieces);
        TileSums sums = default;
        for (var step = first; step <= last; step += StepsAtOnce)
        {
            var own0 = next0;
            var own1 = next1;
            var own2 = next2;
            var own3 = next3;

            // In the last round the same again: it is still near.
            var next = Native.Min(step + StepsAtOnce, last);
            next0 = Read(codes, panel, next, pieces);
            next1 = Read(codes, panel, next + 1, pieces);
            next2 = Read(codes, panel, next + 2, pieces);
            next3 = Read(codes, panel, next + 3, pieces);
            sums = Add<TWeights, THalf, TInputs, TTiles>(own0, tables, x, sources, inputs, step, pieces, sums);
            sums = Add<TWeights, THalf, TInputs, TTiles>(own1, tables, x, sources, inputs, step + 1, pieces, sums);
            sums = Add<TWeights, THalf, TInputs, TTiles>(own2, tables, x, sources, inputs, step + 2, pieces, sums);
            sums = Add<TWeights, THalf, TInputs, TTiles>(own3, tables, x, sources, inputs, step + 3, pieces, sums);
        }

        return sums;
    }

    private static TileSums Add<TWeights, THalf, TInputs, TTiles>(
        Pair codes, OutputTables tables, ArrayView<float> x, TileSources sources, int inputs, int step, int pieces, TileSums sums)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var weights = default(TWeights);
        var (output, padded) = (tables.Output, tables.Padded);
        var present = Present(step, pieces);
        var lowScale = weights.ScaleOf(tables.Tables, tables.Groups, output, padded, present);
        var highScale = weights.ScaleOf(tables.Tables, tables.Groups, output + OutputSquare.Apart, padded, present);

        // Written out: with a part that is a constant decoding is shorter by far.
        sums = AddPart<TWeights, THalf, TInputs, TTiles>(codes, tables, lowScale, highScale, x, sources, inputs, step, 0, sums);
        if (weights.Parts > 1)
        {
            sums = AddPart<TWeights, THalf, TInputs, TTiles>(codes, tables, lowScale, highScale, x, sources, inputs, step, 1, sums);
        }

        if (weights.Parts > 2)
        {
            sums = AddPart<TWeights, THalf, TInputs, TTiles>(codes, tables, lowScale, highScale, x, sources, inputs, step, 2, sums);
            sums = AddPart<TWeights, THalf, TInputs, TTiles>(codes, tables, lowScale, highScale, x, sources, inputs, step, 3, sums);
        }

        return sums;
    }

    private static TileSums AddPart<TWeights, THalf, TInputs, TTiles>(
        Pair codes, OutputTables tables, PieceScale lowScale, PieceScale highScale, ArrayView<float> x, TileSources sources, int inputs,
        int step, int part, TileSums sums)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var weights = default(TWeights);
        var low = weights.Decode(codes.Low, part, lowScale, tables.Tables, tables.Groups, tables.Output, tables.Padded);
        var high = weights.Decode(
            codes.High, part, highScale, tables.Tables, tables.Groups, tables.Output + OutputSquare.Apart, tables.Padded);
        var at = step * weights.Parts + part;
        var k = ((step * PiecesAtOnce + WarpMatrix.Lane % WarpMatrix.Quad) * weights.Parts + part) * 8;
        sums.A = Add<THalf, TInputs>(low, high, x, sources.A, inputs, k, at, sums.A);
        if (default(TTiles).Count > 1)
        {
            sums.B = Add<THalf, TInputs>(low, high, x, sources.B, inputs, k, at, sums.B);
        }

        if (default(TTiles).Count > 2)
        {
            sums.C = Add<THalf, TInputs>(low, high, x, sources.C, inputs, k, at, sums.C);
            sums.D = Add<THalf, TInputs>(low, high, x, sources.D, inputs, k, at, sums.D);
        }

        if (default(TTiles).Count > 4)
        {
            sums.E = Add<THalf, TInputs>(low, high, x, sources.E, inputs, k, at, sums.E);
            sums.F = Add<THalf, TInputs>(low, high, x, sources.F, inputs, k, at, sums.F);
            sums.G = Add<THalf, TInputs>(low, high, x, sources.G, inputs, k, at, sums.G);
            sums.H = Add<THalf, TInputs>(low, high, x, sources.H, inputs, k, at, sums.H);
        }

        return sums;
    }

    private static Float4 Add<THalf, TInputs>(
        UInt4 low, UInt4 high, ArrayView<float> x, long source, int inputs, int k, int step, Float4 sums)
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
    {
        var terms = default(TInputs).Read(x, source, inputs, k, step);
        sums = MultiplyAdd<THalf>(low, high, terms.A, sums);
        if (default(TInputs).Terms > 1)
        {
            sums = MultiplyAdd<THalf>(low, high, terms.B, sums);
            sums = MultiplyAdd<THalf>(low, high, terms.C, sums);
        }

        return sums;
    }

    private static void Gate(
        float gate, float up, ArrayView<float> bias, ArrayView<float> y, int output, int row, int rows, int half, int activation)
    {
        if (row < rows)
        {
            y[(long)row * half + output] = GateFunctions.Apply(activation, gate + bias[output]) * (up + bias[output + half]);
        }
    }

    private static int Present(int step, int pieces) =>
        Native.Min(step * PiecesAtOnce + WarpMatrix.Lane % WarpMatrix.Quad, pieces - 1);

    private static Pair Read(ArrayView<UInt4> codes, int panel, int step, int pieces)
    {
        var at = ((long)panel * pieces + Present(step, pieces)) * Linear.Panel + WarpMatrix.Lane / WarpMatrix.Quad;
        Pair pair;
        pair.Low = codes[at];
        pair.High = codes[at + OutputSquare.Apart];
        return pair;
    }

    private static TileSources SourcesOf<TWeights, TInputs>(int tile, int rows, int inputs, int pieces)
        where TWeights : struct, ITileWeights
        where TInputs : struct, IWarpInputs
    {
        var warps = Group.DimY * WarpMatrix.OfWave;
        var steps = StepsOfWarp(pieces, warps) * warps * default(TWeights).Parts;
        var source = default(TInputs);
        TileSources sources;
        sources.A = source.SourceOf(tile, rows, inputs, steps);
        sources.B = source.SourceOf(tile + 1, rows, inputs, steps);
        sources.C = source.SourceOf(tile + 2, rows, inputs, steps);
        sources.D = source.SourceOf(tile + 3, rows, inputs, steps);
        sources.E = source.SourceOf(tile + 4, rows, inputs, steps);
        sources.F = source.SourceOf(tile + 5, rows, inputs, steps);
        sources.G = source.SourceOf(tile + 6, rows, inputs, steps);
        sources.H = source.SourceOf(tile + 7, rows, inputs, steps);
        return sources;
    }

    /// <summary>Of an expert's rows, which lie where <paramref name="order"/> says; past the last they are the last.</summary>
    private static TileSources SourcesOf<TTiles>(ArrayView<int> order, int first, int rows, int perSource, int inputs)
        where TTiles : struct, IRowTiles
    {
        TileSources sources = default;
        sources.A = SourceOf(order, first, rows, 0, perSource, inputs);
        if (default(TTiles).Count > 1)
        {
            sources.B = SourceOf(order, first, rows, 1, perSource, inputs);
        }

        if (default(TTiles).Count > 2)
        {
            sources.C = SourceOf(order, first, rows, 2, perSource, inputs);
            sources.D = SourceOf(order, first, rows, 3, perSource, inputs);
        }

        if (default(TTiles).Count > 4)
        {
            sources.E = SourceOf(order, first, rows, 4, perSource, inputs);
            sources.F = SourceOf(order, first, rows, 5, perSource, inputs);
            sources.G = SourceOf(order, first, rows, 6, perSource, inputs);
            sources.H = SourceOf(order, first, rows, 7, perSource, inputs);
        }

        return sources;
    }

    private static long SourceOf(ArrayView<int> order, int first, int rows, int tile, int perSource, int inputs) =>
        (long)(order[first + Native.Min(tile * WarpMatrix.Rows + WarpMatrix.Lane / WarpMatrix.Quad, rows - 1)] / perSource) * inputs;

    private static Float4 Of(TileSums sums, int tile) => tile < 4
        ? tile == 0 ? sums.A : tile == 1 ? sums.B : tile == 2 ? sums.C : sums.D
        : tile == 4 ? sums.E : tile == 5 ? sums.F : tile == 6 ? sums.G : sums.H;

    /// <summary>The sum of all warps' parts, in the first warp.</summary>
    private static Float4 OverWarps(Float4 sums)
    {
        var partial = SharedMemory.Allocate<Float4>(WarpMatrix.Lanes * WarpMatrix.MaxWarps);
        var lane = WarpMatrix.Lane;
        partial[WarpMatrix.Warp * WarpMatrix.Lanes + lane] = sums;
        Group.Barrier();
        sums = partial[lane];
        for (var warp = 1; warp < Group.DimY * WarpMatrix.OfWave; warp++)
        {
            var other = partial[warp * WarpMatrix.Lanes + lane];
            sums.X += other.X;
            sums.Y += other.Y;
            sums.Z += other.Z;
            sums.W += other.W;
        }

        Group.Barrier();
        return sums;
    }

    /// <summary>A lane's pieces of a step, of its two outputs.</summary>
    private struct Pair
    {
        public UInt4 Low;
        public UInt4 High;
    }

    /// <summary>Of up to eight tiles.</summary>
    private struct TileSources
    {
        public long A;
        public long B;
        public long C;
        public long D;
        public long E;
        public long F;
        public long G;
        public long H;
    }

    /// <summary>Of up to eight tiles.</summary>
    private struct TileSums
    {
        public Float4 A;
        public Float4 B;
        public Float4 C;
        public Float4 D;
        public Float4 E;
        public Float4 F;
        public Float4 G;
        public Float4 H;
    }
}
