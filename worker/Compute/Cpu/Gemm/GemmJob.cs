using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>output[m, n] = x[m, k] · w[n, k]ᵀ + bias, one task for each run of panels × chunk of rows.
/// Called by <see cref="VectorBackend{V, TSimd}"/>; the arithmetic is in <see cref="GemmKernels{V, TSimd, TFormat}"/>.</summary>
/// <remarks>
/// Blocking, outermost first (the Goto scheme, with the packed weights in the role of B):
/// <code>
/// task          a chunk of rows × a run of panels (PanelSplit)
///   batch       BatchPanels panels (see GemmCut): their results so far fit L2
///     sweep     as many k as leave the chunk's inputs for them in L2; few rows need one sweep
///       panel   walked from front to back, so that memory is read in order
///         block its weights, BlockKilobytes of them, stay in L1 while every tile passes; the next are fetched meanwhile
///           tile up to MaxRows rows: accumulators in registers
/// </code>
/// A single tile (decode) needs no blocks of k: each panel is streamed from memory once, from front to back.
/// </remarks>
internal unsafe struct GemmJob<V, TSimd, TFormat> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TFormat : IPanelFormat
{
    private const int TilesWorthWidening = 3;

    /// <summary>Bytes of inputs that a sweep may keep in L2, which has at least a megabyte where prompts are computed.</summary>
    private const int SweepBytes = 600 * 1024;

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
    public PanelSplit Split;

    public static int PanelWidth => 2 * TSimd.Lanes;

    public static int ScratchFloats => GemmCut.MostBatchPanels * PanelResults + 1024 / sizeof(float) * GemmCut.MostBlockKilobytes;

    /// <summary>Floats of a panel's results for the rows of a chunk.</summary>
    public static int PanelResults => GemmCut.MostTiles * TSimd.MaxRows * PanelWidth;

    private static int PairBytes => PanelWidth * TFormat.PairBytes;

    public readonly int Tasks => Split.Count * RowChunks;

    private readonly int RowChunks => (Tiles.Count + Cut.TilesPerChunk - 1) / Cut.TilesPerChunk;

    /// <summary>Chunks of equal size: a short last one would stream the weights for little work.</summary>
    private readonly int TilesPerChunk => (Tiles.Count + RowChunks - 1) / RowChunks;

    public readonly void Execute(int task, int worker)
    {
        var scratch = ScratchOf(worker);
        var (firstTile, endTile, firstPanel, endPanel) = RangeOf(task);
        for (var panel = firstPanel; panel < endPanel; panel += Cut.BatchPanels)
        {
            var end = Math.Min(panel + Cut.BatchPanels, endPanel);
            if (Tiles.Count == 1)
            {
                Stream(panel, end, scratch);
            }
            else
            {
                Multiply(firstTile, endTile, panel, end, scratch);
            }

            WriteOutput(firstTile, endTile, panel, end, scratch);
        }
    }

    public readonly float* ScratchOf(int worker) => Scratch + (long)worker * ScratchFloats;

    public readonly (int FirstTile, int EndTile, int FirstPanel, int EndPanel) RangeOf(int task)
    {
        var (chunk, run) = Math.DivRem(task, Split.Count);
        var firstTile = chunk * TilesPerChunk;
        var (firstPanel, endPanel) = Split.RangeOf(run);
        return (firstTile, Math.Min(firstTile + TilesPerChunk, Tiles.Count), firstPanel, endPanel);
    }

    /// <summary>Pairs of k of a sweep over some tiles, a whole number of blocks of <paramref name="blockPairs"/>.</summary>
    public readonly int SweepPairs(int tiles, int blockPairs)
    {
        var most = SweepBytes / (2 * sizeof(float) * TSimd.MaxRows * tiles);
        return most >= Pairs ? Pairs : Math.Max(1, most / blockPairs) * blockPairs;
    }

    /// <summary>The only tile, which nothing else shares the weights with.</summary>
    private readonly void Stream(int firstPanel, int endPanel, float* scratch)
    {
        var panelBytes = (long)Pairs * PairBytes;
        var rows = Tiles.KernelRows(0);
        for (var panel = firstPanel; panel < endPanel; panel++)
        {
            var w = Panels + panel * panelBytes;
            var bias = Bias + panel * PanelWidth;
            var result = scratch + (panel - firstPanel) * PanelResults;
            if (rows > 2)
            {
                MultiplyPanel<TFormat>(
                    rows, Inputs, w, w + GemmKernels<V, TSimd, TFormat>.PrefetchBytes, Pairs, bias, startStride: 0, result);
                continue;
            }

            var isLast = panel + 1 == endPanel;
            MultiplyPanelPair<TFormat>(
                rows, Inputs, w, isLast ? w : w + panelBytes, Pairs, bias, isLast ? bias : bias + PanelWidth, startStride: 0, result,
                isLast ? result : result + PanelResults);
            panel++;
        }
    }

    private readonly void Multiply(int firstTile, int endTile, int firstPanel, int endPanel, float* scratch)
    {
        var panelBytes = (long)Pairs * PairBytes;
        var tiles = endTile - firstTile;
        var widen = TFormat.WidensSlowly && tiles >= TilesWorthWidening;
        var widened = scratch + GemmCut.MostBatchPanels * PanelResults;
        var blockPairs = Cut.BlockKilobytes * 1024 / (widen ? PanelWidth * F32Panel.PairBytes : PairBytes);
        var sweepPairs = SweepPairs(tiles, blockPairs);
        for (var sweep = 0; sweep < Pairs; sweep += sweepPairs)
        {
            var sweepEnd = Math.Min(sweep + sweepPairs, Pairs);
            for (var panel = firstPanel; panel < endPanel; panel++)
            {
                var results = scratch + (panel - firstPanel) * PanelResults;
                for (var firstPair = sweep; firstPair < sweepEnd; firstPair += blockPairs)
                {
                    var pairs = Math.Min(blockPairs, sweepEnd - firstPair);
                    var w = Panels + panel * panelBytes + (long)firstPair * PairBytes;
                    if (widen)
                    {
                        Widen(w, pairs, widened);
                        MultiplyTiles<NearPanel>(firstTile, endTile, firstPair, pairs, panel, (byte*)widened, (byte*)widened, results);
                        continue;
                    }

                    var ahead = firstPair + pairs == sweepEnd ? w - (long)(firstPair - sweep) * PairBytes + panelBytes
                        : w + (long)pairs * PairBytes;
                    MultiplyTiles<TFormat>(firstTile, endTile, firstPair, pairs, panel, w, ahead, results);
                }
            }
        }
    }

    /// <summary>All tiles times a block of a panel.</summary>
    /// <param name="w">The block.</param>
    /// <param name="ahead">The block after it.</param>
    public readonly void MultiplyTiles<TWeights>(
        int firstTile, int endTile, int firstPair, int pairs, int panel, byte* w, byte* ahead, float* results)
        where TWeights : IPanelFormat
    {
        var firstRow = Tiles.FirstRow(firstTile);
        for (var tile = firstTile; tile < endTile; tile++)
        {
            var rows = Tiles.KernelRows(tile);
            var x = Inputs + Tiles.Offset(tile) + 2L * firstPair * rows;
            var result = results + (Tiles.FirstRow(tile) - firstRow) * PanelWidth;
            var start = firstPair == 0 ? Bias + panel * PanelWidth : result;
            MultiplyPanel<TWeights>(rows, x, w, ahead, pairs, start, firstPair == 0 ? 0 : PanelWidth, result);
            ahead = w;
        }
    }

    /// <summary>One or two rows times a block of two panels.</summary>
    public static void MultiplyPanelPair<TWeights>(
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

    private static void MultiplyPanel<TWeights>(
        int rows, float* x, byte* w, byte* ahead, int pairs, float* start, int startStride, float* tile)
        where TWeights : IPanelFormat
    {
        switch (rows)
        {
            case 4:
                GemmKernels<V, TSimd, TWeights>.Rows4(x, w, ahead, pairs, start, startStride, tile);
                break;
            case 6:
                GemmKernels<V, TSimd, TWeights>.Rows6(x, w, ahead, pairs, start, startStride, tile);
                break;
            case 8:
                GemmKernels<V, TSimd, TWeights>.Rows8(x, w, ahead, pairs, start, startStride, tile);
                break;
            default:
                GemmKernels<V, TSimd, TWeights>.Rows12(x, w, ahead, pairs, start, startStride, tile);
                break;
        }
    }

    /// <summary>A block of a panel as <see cref="F32Panel"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(byte* w, int pairs, float* widened)
    {
        var (pairBytes, pairFloats) = (PairBytes, 2 * PanelWidth);
        for (var pair = 0; pair < pairs; pair++)
        {
            TSimd.Store(TFormat.Even<V, TSimd>(w, 0), widened);
            TSimd.Store(TFormat.Even<V, TSimd>(w, 1), widened + TSimd.Lanes);
            TSimd.Store(TFormat.Odd<V, TSimd>(w, 0), widened + 2 * TSimd.Lanes);
            TSimd.Store(TFormat.Odd<V, TSimd>(w, 1), widened + 3 * TSimd.Lanes);
            w += pairBytes;
            widened += pairFloats;
        }
    }

    public readonly void WriteOutput(int firstTile, int endTile, int firstPanel, int endPanel, float* scratch)
    {
        var firstRow = Tiles.FirstRow(firstTile);
        var rows = Tiles.FirstRow(endTile) - firstRow;
        for (var panel = firstPanel; panel < endPanel; panel++)
        {
            var source = scratch + (panel - firstPanel) * PanelResults;
            var column = panel * PanelWidth;
            var destination = Output + (long)firstRow * OutputStride + column;
            if (column + PanelWidth <= OutFeatures)
            {
                WriteWhole(source, rows, destination);
                continue;
            }

            var bytes = (long)(OutFeatures - column) * sizeof(float);
            for (var row = 0; row < rows; row++)
            {
                Buffer.MemoryCopy(source + (long)row * PanelWidth, destination + (long)row * OutputStride, bytes, bytes);
            }
        }
    }

    private readonly void WriteWhole(float* source, int rows, float* destination)
    {
        for (var row = 0; row < rows; row++)
        {
            TSimd.Store(TSimd.Load(source), destination);
            TSimd.Store(TSimd.Load(source + TSimd.Lanes), destination + TSimd.Lanes);
            source += PanelWidth;
            destination += OutputStride;
        }
    }
}
