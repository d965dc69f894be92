using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Many rows times weights by matrix instructions of warps, as 16-bit floats, where multiplying is the limit: a group has a tile
/// of 128 outputs and 128 or 64 rows (<see cref="IWarpTile"/>), each of its eight warps a half of the outputs and a quarter of the rows.
/// What <see cref="TileLinear"/> is for waves.</summary>
/// <remarks>
/// Inputs are those of <see cref="SplitRows"/>, weights those of <see cref="WarpLinear"/>. Shared memory has room for some steps of 32
/// inputs; what needs no decoding is copied there past the registers (<see cref="AsyncCopy"/>), a batch for each step:
/// <code>
/// step n:  wait for n     barrier     begin to copy n + stages − 1, to where n − 1 was     shared memory (n) → matrix instructions
/// </code>
/// Codes are read a step earlier still, and decoded on their way. Lanes take pieces as in <see cref="WarpLinear"/>, in its order of
/// additions: parts of the inputs, one for each warp there, summed one after another.
/// <para>A unit is 64 pieces: a panel of 16 outputs, or a tile of 16 rows, four pieces each. Eight lanes that load together have two
/// outputs and four pieces, and would meet in two banks of 16 bytes if units lay as in memory; so outputs change places within a
/// piece:</para>
/// <code>
/// piece p of output n is at 16·p + (n xor 2·p)
/// </code>
/// Then they have all eight, and so have eight that store, which are neighbours. Loads of 16 bytes are then as fast as ldmatrix. That would
/// need no other places, but it gives an instruction two whole pieces where <see cref="WarpLinear"/> gives it half of four, which is
/// another order of additions.
/// </remarks>
internal static class WarpTileLinear
{
    /// <summary>Outputs of a group.</summary>
    public const int Outputs = 128;

    /// <summary>Quarters of a group's rows: one for each of four warps.</summary>
    public const int RowParts = 4;

    /// <summary>Pieces of a step's weights.</summary>
    private const int WeightPieces = Outputs / Linear.Panel * Wave.Lanes;

    /// <summary>Panels of a warp.</summary>
    private const int Panels = Outputs / Linear.Panel / (WarpMatrix.MaxWarps / RowParts);

    /// <summary>Rows of a group.</summary>
    /// <param name="terms">16-bit floats of an input.</param>
    public static int RowsOf(int terms) =>
        (terms == 1 ? default(WideTile).Tiles : default(DeepTile).Tiles) * RowParts * WarpMatrix.Rows;

    /// <summary>Where a unit's piece is in shared memory.</summary>
    /// <param name="piece">Of four.</param>
    /// <param name="output">Of 16, or the row.</param>
    public static int PlaceOf(int piece, int output) => piece * Linear.Panel + (output ^ (2 * piece));

    /// <summary>Grid (tiles of outputs, tiles of rows), four waves. See <see cref="Linear.Multiply"/>.</summary>
    /// <param name="x">See <see cref="SplitRows"/>.</param>
    public static void Multiply<TWeights, THalf, TTerms, TTile>(
        ArrayView<UInt4> x, ArrayView<UInt4> codes, ArrayView<uint> tables, ArrayView<int> groups, ArrayView<float> bias,
        ArrayView<float> y, int rows, int pieces, int outputs, int padded, int firstOutput, int stride)
        where TWeights : struct, ITileWeights
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TTile : struct, IWarpTile
    {
        var shared = SharedMemory.Allocate<UInt4>(
            default(TTile).Stages * (WeightPieces + default(TTile).Tiles * 2 * default(TTerms).Count * Wave.Lanes));
        var stageLength = WeightPieces + default(TTile).Tiles * 2 * default(TTerms).Count * Wave.Lanes;
        var ahead = default(TTile).Stages - 1;
        var parts = default(TWeights).Parts;
        var ofWarp = WarpLinear.StepsOfWarp(pieces) * parts;
        var steps = (pieces + WarpLinear.PiecesAtOnce - 1) / WarpLinear.PiecesAtOnce * parts;

        // A wave moves two panels of outputs and one or two tiles of rows; what lies past the last is the last again, and not written.
        var lastPanel = padded / Linear.Panel - 1;
        var panel0 = Native.Min(Grid.IdxX * (Outputs / Linear.Panel) + 2 * Group.IdxY, lastPanel);
        var panel1 = Native.Min(panel0 + 1, lastPanel);
        var tilesOfWave = default(TTile).Tiles / 2;
        var tile = Native.Min(
            (Grid.IdxY * Wave.MaxWaves + Group.IdxY) * tilesOfWave, (rows - 1) / SplitRows.Rows * 2 + 2 - tilesOfWave);
        var rows0 = x.SubView(SplitRows.PlaceOf(tile, ofWarp * WarpMatrix.MaxWarps, default(TTerms).Count) + Group.IdxX);
        var codes0 = codes.SubView((long)panel0 * pieces * Linear.Panel + OutputOfLane);
        var codes1 = codes.SubView((long)panel1 * pieces * Linear.Panel + OutputOfLane);
        var to = PlaceOf(PieceOfLane, OutputOfLane);
        var toWeights = 2 * Group.IdxY * Wave.Lanes + to;
        var toCodes = 2 * Group.IdxY * Wave.Lanes + PlaceOf(PieceOfLane, OutputOfLane & (OutputSquare.Apart - 1));
        var toRows = WeightPieces + tilesOfWave * Group.IdxY * Wave.Lanes + to;

        var from = PlaceOf(WarpMatrix.Sharer, WarpMatrix.Line);
        var fromWeights = WarpMatrix.Warp / RowParts * Panels * Wave.Lanes + from;
        var fromRows = WeightPieces + (WarpMatrix.Warp & (RowParts - 1)) * tilesOfWave * Wave.Lanes + from;

        Staged staged = default;
        var write = 0;
        for (var step = 0; step < ahead; step++)
        {
            var own = Native.Min(step, steps - 1);
            if (default(TWeights).AreWhole)
            {
                CopyWeights(codes0, codes1, pieces, own, shared.SubView(write + toWeights));
            }
            else
            {
                staged = Read<TWeights>(codes0, codes1, tables, groups, panel0, panel1, padded, pieces, own);
                Write<TWeights>(staged, own, tables, groups, panel0, panel1, padded, shared.SubView(write + toCodes));
            }

            CopyRows<TTerms, TTile>(rows0, own, shared.SubView(write + toRows));
            AsyncCopy.Close();
            write += stageLength;
        }

        if (!default(TWeights).AreWhole)
        {
            staged = Read<TWeights>(codes0, codes1, tables, groups, panel0, panel1, padded, pieces, Native.Min(ahead, steps - 1));
        }

        Sums total = default;
        var read = 0;
        var at = 0;
        for (var part = 0; part < WarpMatrix.MaxWarps; part++)
        {
            Sums sums = default;
            var end = Native.Min((part + 1) * ofWarp, steps);
            for (; at < end; at++)
            {
                AsyncCopy.Await(default(TTile).Stages - 2);
                Group.Barrier();

                // Past the last step the last again: it is never multiplied.
                var next = IntrinsicMath.Min(at + ahead, steps - 1);
                if (default(TWeights).AreWhole)
                {
                    CopyWeights(codes0, codes1, pieces, next, shared.SubView(write + toWeights));
                }
                else
                {
                    Write<TWeights>(staged, next, tables, groups, panel0, panel1, padded, shared.SubView(write + toCodes));
                    staged = Read<TWeights>(
                        codes0, codes1, tables, groups, panel0, panel1, padded, pieces, IntrinsicMath.Min(next + 1, steps - 1));
                }

                CopyRows<TTerms, TTile>(rows0, next, shared.SubView(write + toRows));
                AsyncCopy.Close();
                sums = MultiplyAdd<THalf, TTerms, TTile>(
                    shared.SubView(read + fromWeights), shared.SubView(read + fromRows), sums);
                write = write == ahead * stageLength ? 0 : write + stageLength;
                read = read == ahead * stageLength ? 0 : read + stageLength;
            }

            total = Add(total, sums);
        }

        // A group must not end while something comes into its memory.
        AsyncCopy.Await(0);
        Store<TTile>(total, bias, y, rows, outputs, firstOutput, stride);
    }

    /// <summary>Begins to copy a lane's two pieces of a step's weights.</summary>
    private static void CopyWeights(ArrayView<UInt4> codes0, ArrayView<UInt4> codes1, int pieces, int step, ArrayView<UInt4> to)
    {
        var at = PieceOf(step, pieces) * Linear.Panel;
        AsyncCopy.Begin(ref to[0], ref codes0[at]);
        AsyncCopy.Begin(ref to[Wave.Lanes], ref codes1[at]);
    }

    /// <summary>Begins to copy a lane's pieces of a step's rows.</summary>
    private static void CopyRows<TTerms, TTile>(ArrayView<UInt4> rows, int step, ArrayView<UInt4> to)
        where TTerms : struct, ITerms
        where TTile : struct, IWarpTile
    {
        var terms = default(TTerms).Count;
        var from = rows.SubView(step * terms * SplitRows.Pair);
        AsyncCopy.Begin(ref to[0], ref from[0]);
        if (default(TTile).Tiles > 2)
        {
            AsyncCopy.Begin(ref to[Wave.Lanes], ref from[Wave.Lanes]);
        }

        if (terms > 1)
        {
            var term = default(TTile).Tiles * 2 * Wave.Lanes;
            AsyncCopy.Begin(ref to[term], ref from[SplitRows.Pair]);
            AsyncCopy.Begin(ref to[2 * term], ref from[2 * SplitRows.Pair]);
        }
    }

    /// <summary>Reads a lane's two pieces of codes that a step's weights are decoded from.</summary>
    private static Staged Read<TWeights>(
        ArrayView<UInt4> codes0, ArrayView<UInt4> codes1, ArrayView<uint> tables, ArrayView<int> groups, int panel0, int panel1, int padded,
        int pieces, int step)
        where TWeights : struct, ITileWeights
    {
        var weights = default(TWeights);
        var piece = PieceOf(step / weights.Parts, pieces);
        Staged staged;
        staged.Codes0 = codes0[piece * Linear.Panel];
        staged.Codes1 = codes1[piece * Linear.Panel];
        staged.Scale0 = weights.ScaleOf(tables, groups, OutputOf(panel0), padded, piece);
        staged.Scale1 = weights.ScaleOf(tables, groups, OutputOf(panel1), padded, piece);
        return staged;
    }

    /// <summary>Decodes them to shared memory, where they lie as <see cref="PairedPieces"/> has them: the lane of an output has every
    /// other word.</summary>
    /// <param name="to">The piece of the first of the two outputs.</param>
    private static void Write<TWeights>(
        Staged staged, int step, ArrayView<uint> tables, ArrayView<int> groups, int panel0, int panel1, int padded, ArrayView<UInt4> to)
        where TWeights : struct, ITileWeights
    {
        var weights = default(TWeights);
        var part = step & (weights.Parts - 1);
        var words = to.Cast<uint>().SubView(OutputOfLane >> 3);
        WritePair(weights.Decode(staged.Codes0, part, staged.Scale0, tables, groups, OutputOf(panel0), padded), words);
        WritePair(
            weights.Decode(staged.Codes1, part, staged.Scale1, tables, groups, OutputOf(panel1), padded),
            words.SubView(4 * Wave.Lanes));
    }

    private static void WritePair(UInt4 own, ArrayView<uint> words)
    {
        words[0] = own.X;
        words[2] = own.Y;
        words[4 * OutputSquare.Apart] = own.Z;
        words[4 * OutputSquare.Apart + 2] = own.W;
    }

    /// <summary>A lane's piece of a step, or the last.</summary>
    private static int PieceOf(int step, int pieces) =>
        IntrinsicMath.Min(step * WarpLinear.PiecesAtOnce + PieceOfLane, pieces - 1);

    /// <summary>Which of a step's pieces a lane of a wave moves.</summary>
    private static int PieceOfLane => Group.IdxX >> 4;

    /// <summary>Of which output of the panel, or row.</summary>
    private static int OutputOfLane => Group.IdxX & (Linear.Panel - 1);

    /// <summary>The output of a panel that a lane moves.</summary>
    private static int OutputOf(int panel) => panel * Linear.Panel + OutputOfLane;

    /// <summary>Multiplies a step of a warp's part of the tile.</summary>
    /// <param name="own">From this lane's piece of the first of four panels on.</param>
    /// <param name="rows">From this lane's piece of the first tile on.</param>
    private static Sums MultiplyAdd<THalf, TTerms, TTile>(ArrayView<UInt4> own, ArrayView<UInt4> rows, Sums sums)
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TTile : struct, IWarpTile
    {
        Weights weights;
        weights.First0 = own[0];
        weights.Second0 = own[OutputSquare.Apart];
        weights.First1 = own[Wave.Lanes];
        weights.Second1 = own[Wave.Lanes + OutputSquare.Apart];
        weights.First2 = own[2 * Wave.Lanes];
        weights.Second2 = own[2 * Wave.Lanes + OutputSquare.Apart];
        weights.First3 = own[3 * Wave.Lanes];
        weights.Second3 = own[3 * Wave.Lanes + OutputSquare.Apart];
        sums = MultiplyAdd<THalf, TTile>(weights, rows, sums);
        if (default(TTerms).Count > 1)
        {
            var term = default(TTile).Tiles * 2 * Wave.Lanes;
            sums = MultiplyAdd<THalf, TTile>(weights, rows.SubView(term), sums);
            sums = MultiplyAdd<THalf, TTile>(weights, rows.SubView(2 * term), sums);
        }

        return sums;
    }

    /// <summary>Multiplies a term.</summary>
    private static Sums MultiplyAdd<THalf, TTile>(Weights weights, ArrayView<UInt4> rows, Sums sums)
        where THalf : struct, IHalfFormat
        where TTile : struct, IWarpTile
    {
        sums.T0 = MultiplyAdd<THalf>(weights, rows[0], sums.T0);
        sums.T1 = MultiplyAdd<THalf>(weights, rows[WarpMatrix.Rows], sums.T1);
        if (default(TTile).Tiles > 2)
        {
            sums.T2 = MultiplyAdd<THalf>(weights, rows[Wave.Lanes], sums.T2);
            sums.T3 = MultiplyAdd<THalf>(weights, rows[Wave.Lanes + WarpMatrix.Rows], sums.T3);
        }

        return sums;
    }

    /// <summary>As <see cref="WarpLinear"/> does, panels in turn: an instruction need not wait for the one before.</summary>
    private static TileSums MultiplyAdd<THalf>(Weights weights, UInt4 x, TileSums sums)
        where THalf : struct, IHalfFormat
    {
        sums.P0 = MultiplyAdd<THalf>(weights.First0, x.X, x.Y, sums.P0);
        sums.P1 = MultiplyAdd<THalf>(weights.First1, x.X, x.Y, sums.P1);
        sums.P2 = MultiplyAdd<THalf>(weights.First2, x.X, x.Y, sums.P2);
        sums.P3 = MultiplyAdd<THalf>(weights.First3, x.X, x.Y, sums.P3);
        sums.P0 = MultiplyAdd<THalf>(weights.Second0, x.Z, x.W, sums.P0);
        sums.P1 = MultiplyAdd<THalf>(weights.Second1, x.Z, x.W, sums.P1);
        sums.P2 = MultiplyAdd<THalf>(weights.Second2, x.Z, x.W, sums.P2);
        sums.P3 = MultiplyAdd<THalf>(weights.Second3, x.Z, x.W, sums.P3);
        return sums;
    }

    private static Float4 MultiplyAdd<THalf>(UInt4 weights, uint b0, uint b1, Float4 sums)
        where THalf : struct, IHalfFormat =>
        default(THalf).MultiplyAddOfWarp(weights.X, weights.Y, weights.Z, weights.W, b0, b1, sums);

    private static Sums Add(Sums a, Sums b)
    {
        a.T0 = Add(a.T0, b.T0);
        a.T1 = Add(a.T1, b.T1);
        a.T2 = Add(a.T2, b.T2);
        a.T3 = Add(a.T3, b.T3);
        return a;
    }

    private static TileSums Add(TileSums a, TileSums b)
    {
        a.P0 = Add(a.P0, b.P0);
        a.P1 = Add(a.P1, b.P1);
        a.P2 = Add(a.P2, b.P2);
        a.P3 = Add(a.P3, b.P3);
        return a;
    }

    private static Float4 Add(Float4 a, Float4 b)
    {
        a.X += b.X;
        a.Y += b.Y;
        a.Z += b.Z;
        a.W += b.W;
        return a;
    }

    private static void Store<TTile>(
        Sums sums, ArrayView<float> bias, ArrayView<float> y, int rows, int outputs, int firstOutput, int stride)
        where TTile : struct, IWarpTile
    {
        var panel = Grid.IdxX * (Outputs / Linear.Panel) + WarpMatrix.Warp / RowParts * Panels;
        var tile = (Grid.IdxY * RowParts + (WarpMatrix.Warp & (RowParts - 1))) * default(TTile).Tiles;
        Store(sums.T0, bias, y, panel, tile, rows, outputs, firstOutput, stride);
        Store(sums.T1, bias, y, panel, tile + 1, rows, outputs, firstOutput, stride);
        if (default(TTile).Tiles > 2)
        {
            Store(sums.T2, bias, y, panel, tile + 2, rows, outputs, firstOutput, stride);
            Store(sums.T3, bias, y, panel, tile + 3, rows, outputs, firstOutput, stride);
        }
    }

    private static void Store(
        TileSums sums, ArrayView<float> bias, ArrayView<float> y, int panel, int tile, int rows, int outputs, int firstOutput, int stride)
    {
        var row = OutputSquare.RowOf(tile);
        OutputSquare.Store(sums.P0, bias, y, OutputSquare.OutputOf(panel), row, rows, outputs, firstOutput, stride);
        OutputSquare.Store(sums.P1, bias, y, OutputSquare.OutputOf(panel + 1), row, rows, outputs, firstOutput, stride);
        OutputSquare.Store(sums.P2, bias, y, OutputSquare.OutputOf(panel + 2), row, rows, outputs, firstOutput, stride);
        OutputSquare.Store(sums.P3, bias, y, OutputSquare.OutputOf(panel + 3), row, rows, outputs, firstOutput, stride);
    }

    /// <summary>A lane's codes of two panels, on their way through registers.</summary>
    private struct Staged
    {
        public UInt4 Codes0;
        public UInt4 Codes1;
        public PieceScale Scale0;
        public PieceScale Scale1;
    }

    /// <summary>A lane's pieces of a step, of its two outputs of four panels: see <see cref="PairedPieces"/>.</summary>
    private struct Weights
    {
        public UInt4 First0;
        public UInt4 Second0;
        public UInt4 First1;
        public UInt4 Second1;
        public UInt4 First2;
        public UInt4 Second2;
        public UInt4 First3;
        public UInt4 Second3;
    }

    /// <summary>Of a tile of rows with each of four panels.</summary>
    private struct TileSums
    {
        public Float4 P0;
        public Float4 P1;
        public Float4 P2;
        public Float4 P3;
    }

    /// <summary>Of up to four tiles.</summary>
    private struct Sums
    {
        public TileSums T0;
        public TileSums T1;
        public TileSums T2;
        public TileSums T3;
    }
}
