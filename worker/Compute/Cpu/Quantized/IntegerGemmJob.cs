using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GemmJob{V, TSimd, TFormat}"/> of rounded inputs and bytes of weights, both integers:
/// output = (Σ code · byte − zero · Σ byte) · weight scale · input scale + bias. Called by <see cref="VectorBackend{V, TSimd}"/>.</summary>
/// <remarks>The sum is exact whatever its order, and so a row has the same bits in every batch and on every processor.</remarks>
internal unsafe struct IntegerGemmJob<V, TSimd, TDots, TTable> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TDots : IByteDots
    where TTable : IPanelFormat
{
    /// <summary>Tasks, bias and results. Its pairs are quads here: four k of a row take as many bytes as a pair of floats, or half of
    /// them.</summary>
    public GemmJob<V, TSimd, F32Panel> Product;

    public IntegerTiles<TDots> Inputs;

    /// <summary><see cref="QuantizedPanels"/> of one group; the table has scales and zeros.</summary>
    public byte* Panels;
    public long PanelBytes;
    public long TableBytes;

    private static int PanelWidth => GemmJob<V, TSimd, F32Panel>.PanelWidth;

    private static int PanelResults => GemmJob<V, TSimd, F32Panel>.PanelResults;

    public readonly void Execute(int task, int worker)
    {
        var scratch = Product.ScratchOf(worker);
        var (firstTile, endTile, firstPanel, endPanel) = Product.RangeOf(task);
        for (var panel = firstPanel; panel < endPanel; panel += Product.Cut.BatchPanels)
        {
            var end = Math.Min(panel + Product.Cut.BatchPanels, endPanel);
            if (Product.Tiles.Rows == 1)
            {
                MultiplyRow(panel, end, scratch);
            }
            else
            {
                Multiply(firstTile, endTile, panel, end, scratch);
            }

            for (var finished = panel; finished < end; finished++)
            {
                Scale(firstTile, endTile, finished, scratch + (finished - panel) * PanelResults);
            }

            Product.WriteOutput(firstTile, endTile, panel, end, scratch);
        }
    }

    private readonly uint* Words(int panel) => (uint*)(Panels + panel * PanelBytes + TableBytes);

    /// <summary>One row, panels in twos.</summary>
    private readonly void MultiplyRow(int firstPanel, int endPanel, float* scratch)
    {
        for (var panel = firstPanel; panel < endPanel; panel += 2)
        {
            var next = Math.Min(panel + 1, endPanel - 1);
            IntegerKernels<V, TSimd, TDots>.Rows1(
                Inputs.Tile(0), Words(panel), Words(next), Product.Pairs, scratch + (panel - firstPanel) * PanelResults,
                scratch + (next - firstPanel) * PanelResults);
        }
    }

    /// <summary>Blocks of a panel stay in L1 while every tile passes; a single tile takes the whole panel.</summary>
    private readonly void Multiply(int firstTile, int endTile, int firstPanel, int endPanel, float* scratch)
    {
        var quads = Product.Pairs;
        var isOne = endTile - firstTile == 1;
        var blockQuads = isOne ? quads : Product.Cut.BlockKilobytes * 1024 / (PanelWidth * sizeof(uint));
        var sweepQuads = isOne ? quads : Product.SweepPairs(endTile - firstTile, blockQuads);
        for (var sweep = 0; sweep < quads; sweep += sweepQuads)
        {
            var sweepEnd = Math.Min(sweep + sweepQuads, quads);
            for (var panel = firstPanel; panel < endPanel; panel++)
            {
                for (var firstQuad = sweep; firstQuad < sweepEnd; firstQuad += blockQuads)
                {
                    MultiplyBlock(
                        firstTile, endTile, firstQuad, Math.Min(blockQuads, sweepEnd - firstQuad),
                        Words(panel) + (long)firstQuad * PanelWidth, scratch + (panel - firstPanel) * PanelResults);
                }
            }
        }
    }

    /// <summary>All tiles times a block of a panel, of which the first asks for the next block.</summary>
    private readonly void MultiplyBlock(int firstTile, int endTile, int firstQuad, int quads, uint* w, float* results)
    {
        var ahead = w + (endTile - firstTile == 1 ? IntegerKernels<V, TSimd, TDots>.PrefetchWords : (long)quads * PanelWidth);
        var firstRow = Product.Tiles.FirstRow(firstTile);
        for (var tile = firstTile; tile < endTile; tile++)
        {
            var rows = Product.Tiles.KernelRows(tile);
            MultiplyTile(
                rows, Inputs.Tile(tile) + (long)firstQuad * TDots.Steps * rows, w, ahead, quads, firstQuad > 0,
                results + (Product.Tiles.FirstRow(tile) - firstRow) * PanelWidth);
            ahead = w;
        }
    }

    private static void MultiplyTile(int rows, int* x, uint* w, uint* ahead, int quads, bool continues, float* tile)
    {
        switch (rows)
        {
            case 2:
                IntegerKernels<V, TSimd, TDots>.Rows2(x, w, ahead, quads, continues, tile);
                break;
            case 4:
                IntegerKernels<V, TSimd, TDots>.Rows4(x, w, ahead, quads, continues, tile);
                break;
            case 6:
                IntegerKernels<V, TSimd, TDots>.Rows6(x, w, ahead, quads, continues, tile);
                break;
            case 8:
                IntegerKernels<V, TSimd, TDots>.Rows8(x, w, ahead, quads, continues, tile);
                break;
            default:
                IntegerKernels<V, TSimd, TDots>.Rows12(x, w, ahead, quads, continues, tile);
                break;
        }
    }

    /// <summary>Turns a panel's sums into what they stand for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Scale(int firstTile, int endTile, int panel, float* results)
    {
        var lanes = TSimd.Lanes;
        var table = Panels + panel * PanelBytes;
        V scale = TTable.Even<V, TSimd>(table, 0), nextScale = TTable.Even<V, TSimd>(table, 1);
        V zero = TTable.Odd<V, TSimd>(table, 0), nextZero = TTable.Odd<V, TSimd>(table, 1);
        var bias = Product.Bias + panel * PanelWidth;
        V offset = TSimd.Load(bias), nextOffset = TSimd.Load(bias + lanes);
        var end = Product.Tiles.FirstRow(endTile);
        for (var row = Product.Tiles.FirstRow(firstTile); row < end; row++)
        {
            var (total, factor) = (Inputs.Totals[row], TSimd.Create(Inputs.Scales[row]));
            var dots = TSimd.WithoutZeros(TSimd.Load(results), zero, total);
            TSimd.Store(TSimd.MultiplyAdd(TSimd.Multiply(dots, scale), factor, offset), results);
            dots = TSimd.WithoutZeros(TSimd.Load(results + lanes), nextZero, total);
            TSimd.Store(TSimd.MultiplyAdd(TSimd.Multiply(dots, nextScale), factor, nextOffset), results + lanes);
            results += PanelWidth;
        }
    }
}
