using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Rows times weights by matrix instructions of warps, as 16-bit floats, where the weights' way from memory is the limit: a group
/// has 16 outputs and up to 64 rows, and reads its weights once, 16 bytes a lane at a time. What <see cref="MatrixLinear"/> is for
/// waves.</summary>
/// <remarks>
/// Layouts are those of <see cref="Linear"/>, but for the words of 16-bit weights (<see cref="PairedPieces"/>) and the codes of
/// <see cref="PairedNibbles{THalf}"/>. A step is four pieces of 16 outputs. An instruction takes any 16 inputs as long as weights and
/// inputs agree on them, and so a lane keeps the pieces as they come:
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

    /// <summary>Steps of each of the eight warps: whole loads of <see cref="StepsAtOnce"/>. Pieces past the last have inputs past the last,
    /// which are zeros.</summary>
    /// <param name="pieces">Of an output.</param>
    public static int StepsOfWarp(int pieces) =>
        ((pieces + PiecesAtOnce - 1) / PiecesAtOnce + WarpMatrix.MaxWarps * StepsAtOnce - 1)
        / (WarpMatrix.MaxWarps * StepsAtOnce) * StepsAtOnce;

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
            codes, Grid.IdxX, new OutputTables(tables, groups, 0, OutputSquare.OutputOf(Grid.IdxX), padded),
            SourcesOf<TWeights, TInputs>(x, tile, rows, inputs, pieces), inputs, pieces);
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
    public static void MultiplyExperts<TWeights, THalf, TTerms, TInput, TTiles>(
        ArrayView<float> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<int> tiles, ArrayView<int> order, ArrayView<float> y, int inputs, int pieces, int outputs, int padded, int firstOutput,
        int stride, int perSource, int codesStride, int tablesStride, int groupsStride)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TInput : struct, IInput
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
        var sums = Sum<TWeights, THalf, FloatInputs<TTerms, TInput>, TTiles>(
            codes.SubView((long)expert * codesStride), Grid.IdxX,
            new OutputTables(
                tables.SubView((long)expert * tablesStride), groups.SubView((long)expert * groupsStride), 0, output, padded),
            RoutedSourcesOf<TTerms, TInput, TTiles>(x, order, first, rows, perSource, inputs, default(TWeights).Parts), inputs, pieces);
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
        var sources = SourcesOf<TWeights, TInputs>(x, 0, rows, inputs, pieces);
        var gates = Sum<TWeights, THalf, TInputs, TTiles>(
            codes, Grid.IdxX, new OutputTables(tables, groups, 0, OutputSquare.OutputOf(Grid.IdxX), padded), sources, inputs, pieces);
        var ups = Sum<TWeights, THalf, TInputs, TTiles>(
            codes, upPanel, new OutputTables(tables, groups, 0, OutputSquare.OutputOf(upPanel), padded), sources, inputs, pieces);
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

    /// <summary>A lane's outputs of its rows of each tile: this warp's part of the inputs.</summary>
    /// <remarks>What comes next is asked for where what was there has been multiplied, so that no register is moved to another.</remarks>
    private static TileSums Sum<TWeights, THalf, TInputs, TTiles>(
        ArrayView<UInt4> codes, int panel, OutputTables tables, TileSources sources, int inputs, int pieces)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var ofWarp = StepsOfWarp(pieces);
        var first = WarpMatrix.Warp * ofWarp;
        var end = first + ofWarp;
        var own = codes.SubView((long)panel * pieces * Linear.Panel + WarpMatrix.Line);
        var step0 = Read<TWeights>(own, tables, first, pieces);
        var step1 = Read<TWeights>(own, tables, first + 1, pieces);
        var step2 = Read<TWeights>(own, tables, first + 2, pieces);
        var step3 = Read<TWeights>(own, tables, first + 3, pieces);
        var parts = default(TWeights).Parts;
        sources = Skip<TInputs, TTiles>(sources, first, parts);
        var left = inputs - (first * PiecesAtOnce + WarpMatrix.Sharer) * parts * 8;
        TileSums sums = default;
        for (var step = first; step < end; step += StepsAtOnce)
        {
            // In the last round the same again: it is still near.
            var next = IntrinsicMath.Min(step + StepsAtOnce, end - StepsAtOnce);
            sums = Add<TWeights, THalf, TInputs, TTiles>(step0, tables, sources, left, 0, sums);
            step0 = Read<TWeights>(own, tables, next, pieces);
            sums = Add<TWeights, THalf, TInputs, TTiles>(step1, tables, sources, left, 1, sums);
            step1 = Read<TWeights>(own, tables, next + 1, pieces);
            sums = Add<TWeights, THalf, TInputs, TTiles>(step2, tables, sources, left, 2, sums);
            step2 = Read<TWeights>(own, tables, next + 2, pieces);
            sums = Add<TWeights, THalf, TInputs, TTiles>(step3, tables, sources, left, 3, sums);
            step3 = Read<TWeights>(own, tables, next + 3, pieces);
            sources = Skip<TInputs, TTiles>(sources, StepsAtOnce, parts);
            left -= StepsAtOnce * PiecesAtOnce * parts * 8;
        }

        return sums;
    }

    private static TileSums Add<TWeights, THalf, TInputs, TTiles>(
        Step codes, OutputTables tables, TileSources sources, int left, int step, TileSums sums)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        // Written out: with a part that is a constant decoding is shorter by far.
        sums = AddPart<TWeights, THalf, TInputs, TTiles>(codes, tables, sources, left, step, 0, sums);
        if (default(TWeights).Parts > 1)
        {
            sums = AddPart<TWeights, THalf, TInputs, TTiles>(codes, tables, sources, left, step, 1, sums);
        }

        if (default(TWeights).Parts > 2)
        {
            sums = AddPart<TWeights, THalf, TInputs, TTiles>(codes, tables, sources, left, step, 2, sums);
            sums = AddPart<TWeights, THalf, TInputs, TTiles>(codes, tables, sources, left, step, 3, sums);
        }

        return sums;
    }

    private static TileSums AddPart<TWeights, THalf, TInputs, TTiles>(
        Step codes, OutputTables tables, TileSources sources, int left, int step, int part, TileSums sums)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var weights = default(TWeights);
        Halves pair;
        if (weights.AreWhole)
        {
            pair.First = codes.Low;
            pair.Second = codes.High;
        }
        else
        {
            pair = Pair(
                weights.Decode(codes.Low, part, codes.LowScale, tables.Tables, tables.Groups, tables.Output, tables.Padded),
                weights.Decode(
                    codes.High, part, codes.HighScale, tables.Tables, tables.Groups, tables.Output + OutputSquare.Apart, tables.Padded));
        }

        var parts = weights.Parts;
        sums.A = Add<THalf, TInputs>(pair, sources.A, left, step, part, parts, sums.A);
        if (default(TTiles).Count > 1)
        {
            sums.B = Add<THalf, TInputs>(pair, sources.B, left, step, part, parts, sums.B);
        }

        if (default(TTiles).Count > 2)
        {
            sums.C = Add<THalf, TInputs>(pair, sources.C, left, step, part, parts, sums.C);
            sums.D = Add<THalf, TInputs>(pair, sources.D, left, step, part, parts, sums.D);
        }

        if (default(TTiles).Count > 4)
        {
            sums.E = Add<THalf, TInputs>(pair, sources.E, left, step, part, parts, sums.E);
            sums.F = Add<THalf, TInputs>(pair, sources.F, left, step, part, parts, sums.F);
            sums.G = Add<THalf, TInputs>(pair, sources.G, left, step, part, parts, sums.G);
            sums.H = Add<THalf, TInputs>(pair, sources.H, left, step, part, parts, sums.H);
        }

        return sums;
    }

    private static Float4 Add<THalf, TInputs>(
        Halves weights, ArrayView<float> inputs, int left, int step, int part, int parts, Float4 sums)
        where THalf : struct, IHalfFormat
        where TInputs : struct, IWarpInputs
    {
        var terms = default(TInputs).Read(inputs, left, step, part, parts);
        sums = MultiplyAdd<THalf>(weights, terms.A, sums);
        if (default(TInputs).Terms > 1)
        {
            sums = MultiplyAdd<THalf>(weights, terms.B, sums);
            sums = MultiplyAdd<THalf>(weights, terms.C, sums);
        }

        return sums;
    }

    private static Float4 MultiplyAdd<THalf>(Halves weights, UInt4 x, Float4 sums)
        where THalf : struct, IHalfFormat
    {
        var half = default(THalf);
        sums = half.MultiplyAddOfWarp(weights.First.X, weights.First.Y, weights.First.Z, weights.First.W, x.X, x.Y, sums);
        return half.MultiplyAddOfWarp(weights.Second.X, weights.Second.Y, weights.Second.Z, weights.Second.W, x.Z, x.W, sums);
    }

    /// <summary>Pieces of two outputs as the two instructions take them: see <see cref="PairedPieces"/>.</summary>
    private static Halves Pair(UInt4 low, UInt4 high)
    {
        Halves pair;
        pair.First.X = low.X;
        pair.First.Y = high.X;
        pair.First.Z = low.Y;
        pair.First.W = high.Y;
        pair.Second.X = low.Z;
        pair.Second.Y = high.Z;
        pair.Second.Z = low.W;
        pair.Second.W = high.W;
        return pair;
    }

    private static void Gate(
        float gate, float up, ArrayView<float> bias, ArrayView<float> y, int output, int row, int rows, int half, int activation)
    {
        if (row < rows)
        {
            y[(long)row * half + output] = GateFunctions.Apply(activation, gate + bias[output]) * (up + bias[output + half]);
        }
    }

    /// <param name="own">Codes of the panel, from this lane's first output on.</param>
    private static Step Read<TWeights>(ArrayView<UInt4> own, OutputTables tables, int step, int pieces)
        where TWeights : struct, ITileWeights
    {
        var weights = default(TWeights);
        var piece = IntrinsicMath.Min(step * PiecesAtOnce + WarpMatrix.Sharer, pieces - 1);
        var at = own.SubView(piece * Linear.Panel);
        Step read;
        read.Low = at[0];
        read.High = at[OutputSquare.Apart];
        read.LowScale = weights.ScaleOf(tables.Tables, tables.Groups, tables.Output, tables.Padded, piece);
        read.HighScale = weights.ScaleOf(tables.Tables, tables.Groups, tables.Output + OutputSquare.Apart, tables.Padded, piece);
        return read;
    }

    /// <summary>Goes on by so many steps.</summary>
    private static TileSources Skip<TInputs, TTiles>(TileSources sources, int steps, int parts)
        where TInputs : struct, IWarpInputs
        where TTiles : struct, IRowTiles
    {
        var inputs = default(TInputs);
        sources.A = inputs.Skip(sources.A, steps, parts);
        if (default(TTiles).Count > 1)
        {
            sources.B = inputs.Skip(sources.B, steps, parts);
        }

        if (default(TTiles).Count > 2)
        {
            sources.C = inputs.Skip(sources.C, steps, parts);
            sources.D = inputs.Skip(sources.D, steps, parts);
        }

        if (default(TTiles).Count > 4)
        {
            sources.E = inputs.Skip(sources.E, steps, parts);
            sources.F = inputs.Skip(sources.F, steps, parts);
            sources.G = inputs.Skip(sources.G, steps, parts);
            sources.H = inputs.Skip(sources.H, steps, parts);
        }

        return sources;
    }

    private static TileSources SourcesOf<TWeights, TInputs>(ArrayView<float> x, int tile, int rows, int inputs, int pieces)
        where TWeights : struct, ITileWeights
        where TInputs : struct, IWarpInputs
    {
        var parts = default(TWeights).Parts;
        var steps = StepsOfWarp(pieces) * WarpMatrix.MaxWarps;
        var source = default(TInputs);
        TileSources sources;
        sources.A = source.RowOf(x, tile, rows, inputs, parts, steps);
        sources.B = source.RowOf(x, tile + 1, rows, inputs, parts, steps);
        sources.C = source.RowOf(x, tile + 2, rows, inputs, parts, steps);
        sources.D = source.RowOf(x, tile + 3, rows, inputs, parts, steps);
        sources.E = source.RowOf(x, tile + 4, rows, inputs, parts, steps);
        sources.F = source.RowOf(x, tile + 5, rows, inputs, parts, steps);
        sources.G = source.RowOf(x, tile + 6, rows, inputs, parts, steps);
        sources.H = source.RowOf(x, tile + 7, rows, inputs, parts, steps);
        return sources;
    }

    /// <summary>Of an expert's rows, which lie where <paramref name="order"/> says; past the last they are the last.</summary>
    private static TileSources RoutedSourcesOf<TTerms, TInput, TTiles>(
        ArrayView<float> x, ArrayView<int> order, int first, int rows, int perSource, int inputs, int parts)
        where TTerms : struct, ITerms
        where TInput : struct, IInput
        where TTiles : struct, IRowTiles
    {
        TileSources sources;
        sources.A = RoutedSourceOf<TTerms, TInput>(x, order, first, rows, 0, perSource, inputs, parts);
        sources.B = default(TTiles).Count > 1 ? RoutedSourceOf<TTerms, TInput>(x, order, first, rows, 1, perSource, inputs, parts) : x;
        sources.C = default(TTiles).Count > 2 ? RoutedSourceOf<TTerms, TInput>(x, order, first, rows, 2, perSource, inputs, parts) : x;
        sources.D = default(TTiles).Count > 2 ? RoutedSourceOf<TTerms, TInput>(x, order, first, rows, 3, perSource, inputs, parts) : x;
        sources.E = default(TTiles).Count > 4 ? RoutedSourceOf<TTerms, TInput>(x, order, first, rows, 4, perSource, inputs, parts) : x;
        sources.F = default(TTiles).Count > 4 ? RoutedSourceOf<TTerms, TInput>(x, order, first, rows, 5, perSource, inputs, parts) : x;
        sources.G = default(TTiles).Count > 4 ? RoutedSourceOf<TTerms, TInput>(x, order, first, rows, 6, perSource, inputs, parts) : x;
        sources.H = default(TTiles).Count > 4 ? RoutedSourceOf<TTerms, TInput>(x, order, first, rows, 7, perSource, inputs, parts) : x;
        return sources;
    }

    private static ArrayView<float> RoutedSourceOf<TTerms, TInput>(
        ArrayView<float> x, ArrayView<int> order, int first, int rows, int tile, int perSource, int inputs, int parts)
        where TTerms : struct, ITerms
        where TInput : struct, IInput =>
        default(FloatInputs<TTerms, TInput>).RowOf(
            x, order[first + IntrinsicMath.Min(tile * WarpMatrix.Rows + WarpMatrix.Line, rows - 1)] / perSource, inputs, parts);

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
        for (var warp = 1; warp < WarpMatrix.MaxWarps; warp++)
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

    /// <summary>A lane's pieces of a step, of its two outputs or as <see cref="PairedPieces"/> has them.</summary>
    private struct Step
    {
        public UInt4 Low;
        public UInt4 High;
        public PieceScale LowScale;
        public PieceScale HighScale;
    }

    /// <summary>Eight weights of each of two outputs: the matrix A of two instructions.</summary>
    private struct Halves
    {
        public UInt4 First;
        public UInt4 Second;
    }

    /// <summary>Where the inputs of this lane's rows begin, of up to eight tiles.</summary>
    private struct TileSources
    {
        public ArrayView<float> A;
        public ArrayView<float> B;
        public ArrayView<float> C;
        public ArrayView<float> D;
        public ArrayView<float> E;
        public ArrayView<float> F;
        public ArrayView<float> G;
        public ArrayView<float> H;
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
