using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GemmJob{V, TSimd, TFormat}"/> over <see cref="QuantizedPanels"/>: a block of a panel is decoded into cache once,
/// then every tile of the chunk is multiplied by it as by F32 weights. Called by <see cref="VectorBackend{V, TSimd}"/>.</summary>
/// <remarks>A decoded weight is one rounded float and products are summed as for F32 weights: the result has the very bits of a layer whose
/// matrix was dequantized to F32, whatever the batch.</remarks>
internal unsafe struct QuantizedGemmJob<V, TSimd, TCodes> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : IPanelCodes
{
    /// <summary>Pairs of k that are decoded at a time for one tile of rows: two panels of them fit L1.</summary>
    private const int PairsForOneTile = 32;

    /// <summary>Tasks, inputs and results; its panels are not used.</summary>
    public GemmJob<V, TSimd, F32Panel> Product;

    public byte* Panels;
    public PanelGroups Groups;
    public long PanelBytes;
    public long TableBytes;

    public readonly void Execute(int task, int worker)
    {
        var scratch = Product.ScratchOf(worker);
        var (firstTile, endTile, firstPanel, endPanel) = Product.RangeOf(task);
        for (var panel = firstPanel; panel < endPanel; panel += Product.Cut.BatchPanels)
        {
            var end = Math.Min(panel + Product.Cut.BatchPanels, endPanel);
            Multiply(firstTile, endTile, panel, end, scratch);
            Product.WriteOutput(firstTile, endTile, panel, end, scratch);
        }
    }

    private readonly void Multiply(int firstTile, int endTile, int firstPanel, int endPanel, float* scratch)
    {
        // Kernels for one or two rows take panels in twos; with more than one tile their work no longer decides.
        var together = endTile - firstTile == 1 ? 2 : 1;
        var blockPairs = together == 2 ? PairsForOneTile : Product.Cut.BlockPairs;
        var decoded = scratch + GemmCut.MostBatchPanels * GemmJob<V, TSimd, F32Panel>.PanelResults;
        var nextDecoded = decoded + 2 * blockPairs * GemmJob<V, TSimd, F32Panel>.PanelWidth;
        for (var firstPair = 0; firstPair < Product.Pairs; firstPair += blockPairs)
        {
            var pairs = Math.Min(blockPairs, Product.Pairs - firstPair);
            for (var panel = firstPanel; panel < endPanel; panel += together)
            {
                Decode(panel, firstPair, pairs, decoded);
                var results = scratch + (panel - firstPanel) * GemmJob<V, TSimd, F32Panel>.PanelResults;
                if (together == 1 || panel + 1 == endPanel)
                {
                    Product.MultiplyTiles<F32Panel>(
                        firstTile, endTile, firstPair, pairs, panel, Partner.Itself, (byte*)decoded, (byte*)decoded, results);
                    continue;
                }

                Decode(panel + 1, firstPair, pairs, nextDecoded);
                Product.MultiplyTiles<F32Panel>(
                    firstTile, endTile, firstPair, pairs, panel, Partner.Next, (byte*)decoded, (byte*)nextDecoded, results);
                Product.MultiplyTiles<F32Panel>(
                    firstTile,
                    endTile,
                    firstPair,
                    pairs,
                    panel + 1,
                    Partner.Previous,
                    (byte*)nextDecoded,
                    (byte*)decoded,
                    results + GemmJob<V, TSimd, F32Panel>.PanelResults);
            }
        }
    }

    private readonly void Decode(int panel, int firstPair, int pairs, float* target)
    {
        var table = Panels + panel * PanelBytes;
        TCodes.Decode<V, TSimd>(table, (uint*)(table + TableBytes), Groups, 2 * firstPair, 2 * pairs, target);
    }
}
