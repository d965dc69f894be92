using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>output[m, n] = x[m, k] · w[n, k]ᵀ + bias, one task for each group of panels × chunk of rows.
/// Called by <see cref="VectorBackend{V, TSimd}"/>; the arithmetic is in <see cref="GemmKernels{V, TSimd, TFormat}"/>.</summary>
/// <remarks>
/// Blocking, outermost first (the Goto scheme, with the packed weights in the role of B):
/// <code>
/// task        a chunk of rows × a group of panels
///   batch     BatchPanels panels (see GemmCut): their results so far fit L2
///     block   BlockPairs of k: the chunk's inputs for them stay in L2
///       panel its weights for them stay in L1 while every tile passes
///         tile up to MaxRows rows: accumulators in registers
/// </code>
/// A single tile (decode) needs no blocks of k: each panel is streamed from memory once, from front to back.
/// </remarks>
internal unsafe struct GemmJob<V, TSimd, TFormat> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TFormat : IPanelFormat
{
    private const int TilesWorthWidening = 3;

    public GemmCut Cut;

    /// <summary>Inputs in tiles, <c>[tile][k][rows of the tile]</c> (see <see cref="InputTiles"/>).</summary>
    public float* Inputs;

    public byte* Panels;
    public float* Bias;
    public float* Output;

    /// <summary><see cref="ScratchFloats"/> for each worker: results <c>[panel of the batch][row of the chunk][panel width]</c>, then a
    /// block of widened weights.</summary>
    public float* Scratch;

    public InputTiles Tiles;
    public int Pairs;
    public int OutFeatures;

    /// <summary>Columns of a row of <see cref="Output"/>: more than <see cref="OutFeatures"/> where only some of them are
    /// computed.</summary>
    public int OutputStride;
    public int PanelCount;
    public int PanelsPerTask;

    public static int PanelWidth => 2 * TSimd.Lanes;

    public static int ScratchFloats => GemmCut.MostBatchPanels * PanelResults + 2 * GemmCut.MostBlockPairs * PanelWidth;

    /// <summary>Floats of a panel's results for the rows of a chunk.</summary>
    public static int PanelResults => GemmCut.MostTiles * TSimd.MaxRows * PanelWidth;

    public readonly int PanelGroups => (PanelCount + PanelsPerTask - 1) / PanelsPerTask;

    public readonly int RowChunks => ChunksOf(Tiles, Cut);

    /// <summary>Chunks of equal size: a short last one would stream the weights for little work.</summary>
    private readonly int TilesPerChunk => (Tiles.Count + RowChunks - 1) / RowChunks;

    public static int ChunksOf(InputTiles tiles, GemmCut cut) => (tiles.Count + cut.TilesPerChunk - 1) / cut.TilesPerChunk;

    public readonly void Execute(int task, int worker)
    {
        var scratch = ScratchOf(worker);
        var (firstTile, endTile, firstPanel, endPanel) = RangeOf(task);
        for (var panel = firstPanel; panel < endPanel; panel += Cut.BatchPanels)
        {
            var end = Math.Min(panel + Cut.BatchPanels, endPanel);
            Multiply(firstTile, endTile, panel, end, scratch);
            WriteOutput(firstTile, endTile, panel, end, scratch);
        }
    }

    public readonly float* ScratchOf(int worker) => Scratch + (long)worker * ScratchFloats;

    public readonly (int FirstTile, int EndTile, int FirstPanel, int EndPanel) RangeOf(int task)
    {
        var firstTile = task / PanelGroups * TilesPerChunk;
        var firstPanel = task % PanelGroups * PanelsPerTask;
        return (firstTile, Math.Min(firstTile + TilesPerChunk, Tiles.Count), firstPanel, Math.Min(firstPanel + PanelsPerTask, PanelCount));
    }

    private readonly void Multiply(int firstTile, int endTile, int firstPanel, int endPanel, float* scratch)
    {
        var tiles = endTile - firstTile;
        var blockPairs = tiles == 1 ? Pairs : Cut.BlockPairs;
        var pairBytes = PanelWidth * TFormat.PairBytes;
        var panelBytes = (long)Pairs * pairBytes;
        for (var firstPair = 0; firstPair < Pairs; firstPair += blockPairs)
        {
            var pairs = Math.Min(blockPairs, Pairs - firstPair);
            for (var panel = firstPanel; panel < endPanel; panel++)
            {
                var w = Panels + panel * panelBytes + (long)firstPair * pairBytes;
                var results = scratch + (panel - firstPanel) * PanelResults;
                if (TFormat.WidensSlowly && tiles >= TilesWorthWidening)
                {
                    var widened = scratch + GemmCut.MostBatchPanels * PanelResults;
                    Widen(w, pairs, widened);
                    MultiplyTiles<F32Panel>(
                        firstTile, endTile, firstPair, pairs, panel, Partner.Itself, (byte*)widened, (byte*)widened, results);
                }
                else
                {
                    var partner = (panel - firstPanel) % 2 != 0 ? Partner.Previous : panel + 1 < endPanel ? Partner.Next : Partner.Itself;
                    var partnerW = partner == Partner.Next ? w + panelBytes : w;
                    MultiplyTiles<TFormat>(firstTile, endTile, firstPair, pairs, panel, partner, w, partnerW, results);
                }
            }
        }
    }

    /// <summary>All tiles times one panel, of which <paramref name="w"/> has a block of k, as <paramref name="partnerW"/> has of its
    /// partner.</summary>
    public readonly void MultiplyTiles<TWeights>(
        int firstTile, int endTile, int firstPair, int pairs, int panel, Partner partner, byte* w, byte* partnerW, float* results)
        where TWeights : IPanelFormat
    {
        for (var tile = firstTile; tile < endTile; tile++)
        {
            var rows = Tiles.KernelRows(tile);
            var x = Inputs + Tiles.Offset(tile) + 2L * firstPair * rows;
            var result = results + (tile - firstTile) * TSimd.MaxRows * PanelWidth;
            var start = firstPair == 0 ? Bias + panel * PanelWidth : result;
            var startStride = firstPair == 0 ? 0 : PanelWidth;
            if (rows > 2)
            {
                MultiplyPanel<TWeights>(rows, x, w, pairs, start, startStride, result);
            }
            else if (partner != Partner.Previous)
            {
                var ahead = partner == Partner.Next ? 1 : 0;
                var partnerStart = start + ahead * (firstPair == 0 ? PanelWidth : PanelResults);
                MultiplyPanelPair<TWeights>(
                    rows, x, w, partnerW, pairs, start, partnerStart, startStride, result, result + ahead * PanelResults);
            }
        }
    }

    private static void MultiplyPanel<TWeights>(int rows, float* x, byte* w, int pairs, float* start, int startStride, float* tile)
        where TWeights : IPanelFormat
    {
        switch (rows)
        {
            case 4:
                GemmKernels<V, TSimd, TWeights>.Rows4(x, w, pairs, start, startStride, tile);
                break;
            case 6:
                GemmKernels<V, TSimd, TWeights>.Rows6(x, w, pairs, start, startStride, tile);
                break;
            default:
                GemmKernels<V, TSimd, TWeights>.Rows12(x, w, pairs, start, startStride, tile);
                break;
        }
    }

    private static void MultiplyPanelPair<TWeights>(
        int rows, float* x, byte* w, byte* nextW, int pairs, float* start, float* nextStart, int startStride, float* tile, float* nextTile)
        where TWeights : IPanelFormat
    {
        if (rows == 1)
        {
            GemmKernels<V, TSimd, TWeights>.Rows1(x, w, nextW, pairs, start, nextStart, startStride, tile, nextTile);
        }
        else
        {
            GemmKernels<V, TSimd, TWeights>.Rows2(x, w, nextW, pairs, start, nextStart, startStride, tile, nextTile);
        }
    }

    /// <summary>A block of a panel as <see cref="F32Panel"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(byte* w, int pairs, float* widened)
    {
        for (var pair = 0; pair < pairs; pair++)
        {
            TSimd.Store(TFormat.Even<V, TSimd>(w, 0), widened);
            TSimd.Store(TFormat.Even<V, TSimd>(w, 1), widened + TSimd.Lanes);
            TSimd.Store(TFormat.Odd<V, TSimd>(w, 0), widened + 2 * TSimd.Lanes);
            TSimd.Store(TFormat.Odd<V, TSimd>(w, 1), widened + 3 * TSimd.Lanes);
            w += PanelWidth * TFormat.PairBytes;
            widened += 2 * PanelWidth;
        }
    }

    public readonly void WriteOutput(int firstTile, int endTile, int firstPanel, int endPanel, float* scratch)
    {
        var firstRow = firstTile * TSimd.MaxRows;
        var rows = Math.Min(endTile * TSimd.MaxRows, Tiles.Rows) - firstRow;
        for (var panel = firstPanel; panel < endPanel; panel++)
        {
            var source = scratch + (panel - firstPanel) * PanelResults;
            var column = panel * PanelWidth;
            var bytes = (long)Math.Min(PanelWidth, OutFeatures - column) * sizeof(float);
            for (var row = 0; row < rows; row++)
            {
                var destination = Output + (long)(firstRow + row) * OutputStride + column;
                Buffer.MemoryCopy(source + (long)row * PanelWidth, destination, bytes, bytes);
            }
        }
    }
}
