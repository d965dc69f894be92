using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GemmJob{V, TSimd, TFormat}"/> over codes that are looked up in a table: a block of a panel is decoded into
/// cache once, then every tile of the chunk is multiplied by it as by F32 weights. Called by
/// <see cref="VectorBackend{V, TSimd}"/>.</summary>
/// <remarks>A decoded weight is one rounded float and products are summed as for F32 weights: the result has the very bits of a layer whose
/// matrix was dequantized to F32, whatever the batch.</remarks>
internal unsafe struct LookupGemmJob<V, TSimd, TTable> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TTable : IPanelFormat
{
    /// <summary>Pairs of k that are decoded at a time for one or two rows: two panels of them fit L1.</summary>
    private const int PairsForOneTile = 32;

    private const int LineBytes = 64;

    private static int PanelWidth => GemmJob<V, TSimd, F32Panel>.PanelWidth;

    /// <summary>Tasks, inputs and results; its panels are not used.</summary>
    public GemmJob<V, TSimd, F32Panel> Product;

    public byte* Panels;
    public long PanelBytes;
    public long TableBytes;

    public readonly void Execute(int task, int worker)
    {
        var scratch = Product.ScratchOf(worker);
        var (firstTile, endTile, firstPanel, endPanel) = Product.RangeOf(task);
        for (var panel = firstPanel; panel < endPanel; panel += Product.Cut.BatchPanels)
        {
            var end = Math.Min(panel + Product.Cut.BatchPanels, endPanel);
            if (Product.Tiles.Count == 1 && Product.Tiles.KernelRows(0) <= 2)
            {
                Stream(panel, end, scratch);
            }
            else
            {
                Multiply(firstTile, endTile, panel, end, scratch);
            }

            Product.WriteOutput(firstTile, endTile, panel, end, scratch);
        }
    }

    /// <summary>One or two rows, panels in twos.</summary>
    private readonly void Stream(int firstPanel, int endPanel, float* scratch)
    {
        var decoded = scratch + GemmCut.MostBatchPanels * GemmJob<V, TSimd, F32Panel>.PanelResults;
        var nextDecoded = decoded + 2 * PairsForOneTile * PanelWidth;
        var rows = Product.Tiles.KernelRows(0);
        for (var firstPair = 0; firstPair < Product.Pairs; firstPair += PairsForOneTile)
        {
            var pairs = Math.Min(PairsForOneTile, Product.Pairs - firstPair);
            var x = Product.Inputs + 2L * firstPair * rows;
            for (var panel = firstPanel; panel < endPanel; panel += 2)
            {
                Decode(panel, firstPair, pairs, decoded);
                var result = scratch + (panel - firstPanel) * GemmJob<V, TSimd, F32Panel>.PanelResults;
                var start = firstPair == 0 ? Product.Bias + panel * PanelWidth : result;
                float* next = decoded, nextStart = start, nextResult = result;
                if (panel + 1 < endPanel)
                {
                    Decode(panel + 1, firstPair, pairs, nextDecoded);
                    next = nextDecoded;
                    nextStart += firstPair == 0 ? PanelWidth : GemmJob<V, TSimd, F32Panel>.PanelResults;
                    nextResult += GemmJob<V, TSimd, F32Panel>.PanelResults;
                }

                GemmJob<V, TSimd, F32Panel>.MultiplyPanelPair<NearPanel>(
                    rows, x, (byte*)decoded, (byte*)next, pairs, start, nextStart, firstPair == 0 ? 0 : PanelWidth, result, nextResult);
            }
        }
    }

    private readonly void Multiply(int firstTile, int endTile, int firstPanel, int endPanel, float* scratch)
    {
        var blockPairs = Product.Cut.BlockKilobytes * 1024 / (PanelWidth * F32Panel.PairBytes);
        var sweepPairs = Product.SweepPairs(endTile - firstTile, blockPairs);
        var decoded = scratch + GemmCut.MostBatchPanels * GemmJob<V, TSimd, F32Panel>.PanelResults;
        for (var sweep = 0; sweep < Product.Pairs; sweep += sweepPairs)
        {
            var sweepEnd = Math.Min(sweep + sweepPairs, Product.Pairs);
            for (var panel = firstPanel; panel < endPanel; panel++)
            {
                for (var firstPair = sweep; firstPair < sweepEnd; firstPair += blockPairs)
                {
                    var pairs = Math.Min(blockPairs, sweepEnd - firstPair);
                    Decode(panel, firstPair, pairs, decoded);
                    Product.MultiplyTiles<NearPanel>(
                        firstTile, endTile, firstPair, pairs, panel, (byte*)decoded, (byte*)decoded,
                        scratch + (panel - firstPanel) * GemmJob<V, TSimd, F32Panel>.PanelResults);
                }
            }
        }
    }

    /// <summary>Decodes a block of a panel, and asks for the codes of the next.</summary>
    private readonly void Decode(int panel, int firstPair, int pairs, float* target)
    {
        var table = Panels + panel * PanelBytes;
        var codes = table + TableBytes;
        var blockBytes = (PanelBytes - TableBytes) * pairs / Product.Pairs;
        var next = codes + (PanelBytes - TableBytes) * (firstPair + pairs) / Product.Pairs;
        for (long ahead = 0; ahead < blockBytes; ahead += LineBytes)
        {
            Prefetch.Read(next + ahead);
        }

        LookupCodes<TTable>.Decode<V, TSimd>(table, (uint*)codes, 2 * firstPair, 2 * pairs, target);
    }
}
