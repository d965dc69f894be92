using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary><see cref="GemmJob{V, TSimd, TFormat}"/> over codes that are scaled after they are summed. One or two rows stream the codes
/// through registers; for more, a block of a panel is decoded into L1 once, and every tile of the chunk passes. Called by
/// <see cref="VectorBackend{V, TSimd}"/>; the arithmetic is in <see cref="SegmentKernels{V, TSimd, TCodes}"/>.</summary>
internal unsafe struct SegmentGemmJob<V, TSimd, TCodes> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : ISegmentCodes
{
    /// <summary>Rows that are multiplied one by one: decoding twice into registers is faster than once into memory.</summary>
    public const int MostSingleRows = 2;

    private const int LineBytes = 64;

    /// <summary>Places in two steps, which take as many bytes of inputs as a pair of floats.</summary>
    private static int PlacesOfPair => TCodes.AreIntegers ? 4 : 2;

    /// <summary>Scales and offsets of the most segments that a block may have, of the fewest places.</summary>
    private const int TableFloats =
        1024 * GemmCut.MostBlockKilobytes / (2 * sizeof(float) * Quantized.Segments.Unit) * SegmentKernels<V, TSimd, TCodes>.TableVectors;

    /// <summary>Tasks, bias and results; inputs in tiles where there are more than <see cref="MostSingleRows"/>.</summary>
    public GemmJob<V, TSimd, F32Panel> Product;

    public PanelSegments Segments;

    /// <summary>Inputs row by row, a word for each step.</summary>
    public float* Rows;

    /// <summary>What rounded inputs have for each segment, row by row; of no meaning for floats.</summary>
    public float* Sums;

    public byte* Panels;
    public long PanelBytes;
    public long TableBytes;

    private const int SumsOfSegment = RoundedSegmentInputs<TCodes>.PerSegment;

    private static int PanelWidth => GemmJob<V, TSimd, F32Panel>.PanelWidth;

    private static int PanelResults => GemmJob<V, TSimd, F32Panel>.PanelResults;

    public readonly void Execute(int task, int worker)
    {
        var scratch = Product.ScratchOf(worker);
        var (firstTile, endTile, firstPanel, endPanel) = Product.RangeOf(task);
        for (var panel = firstPanel; panel < endPanel; panel += Product.Cut.BatchPanels)
        {
            var end = Math.Min(panel + Product.Cut.BatchPanels, endPanel);
            if (Product.Tiles.Rows <= MostSingleRows)
            {
                MultiplyRows(panel, end, scratch);
            }
            else
            {
                Multiply(firstTile, endTile, panel, end, scratch);
            }

            Product.WriteOutput(firstTile, endTile, panel, end, scratch);
        }
    }

    /// <summary>Row by row, panels in twos.</summary>
    private readonly void MultiplyRows(int firstPanel, int endPanel, float* scratch)
    {
        for (var panel = firstPanel; panel < endPanel; panel += 2)
        {
            var next = Math.Min(panel + 1, endPanel - 1);
            for (var row = 0; row < Product.Tiles.Rows; row++)
            {
                MultiplyRow(
                    Panels + panel * PanelBytes, Panels + next * PanelBytes, row, Product.Bias + panel * PanelWidth,
                    Product.Bias + next * PanelWidth, scratch + (panel - firstPanel) * PanelResults + row * PanelWidth,
                    scratch + (next - firstPanel) * PanelResults + row * PanelWidth);
            }
        }
    }

    private readonly void MultiplyRow(
        byte* panel, byte* next, int row, float* start, float* nextStart, float* result, float* nextResult)
    {
        var x = Rows + (long)row * StepsOf(Segments.Length);
        var sums = Sums + (long)row * Segments.Count * SumsOfSegment;
        if (TCodes.HighBits > 0)
        {
            SegmentKernels<V, TSimd, TCodes>.SplitRow(panel, TableBytes, Segments, x, sums, start, result);
            if (next != panel)
            {
                SegmentKernels<V, TSimd, TCodes>.SplitRow(next, TableBytes, Segments, x, sums, nextStart, nextResult);
            }
        }
        else
        {
            SegmentKernels<V, TSimd, TCodes>.Row(
                panel, next, TableBytes, Segments, x, sums, start, nextStart, result, nextResult);
        }
    }

    private readonly void Multiply(int firstTile, int endTile, int firstPanel, int endPanel, float* scratch)
    {
        var firstRow = Product.Tiles.FirstRow(firstTile);
        var rows = Product.Tiles.FirstRow(endTile - 1) + Product.Tiles.KernelRows(endTile - 1) - firstRow;
        for (var panel = firstPanel; panel < endPanel; panel++)
        {
            Begin(scratch + (panel - firstPanel) * PanelResults, rows, Product.Bias + panel * PanelWidth);
        }

        var blockPlaces = Math.Max(
            Quantized.Segments.MostInputs, Product.Cut.BlockKilobytes * 1024 / (PanelWidth * sizeof(float)));
        var sweepPlaces = Product.SweepPairs(endTile - firstTile, StepsOf(blockPlaces) / 2) * PlacesOfPair;
        var decoded = scratch + GemmCut.MostBatchPanels * PanelResults;
        var table = stackalloc float[TableFloats];
        for (var sweep = 0; sweep < Segments.Count;)
        {
            var sweepEnd = Segments.EndFrom(sweep, sweepPlaces);
            for (var panel = firstPanel; panel < endPanel; panel++)
            {
                for (var first = sweep; first < sweepEnd;)
                {
                    var end = Math.Min(sweepEnd, Segments.EndFrom(first, blockPlaces));
                    Decode(panel, first, end, decoded, table);
                    for (var tile = firstTile; tile < endTile; tile++)
                    {
                        var tileRow = Product.Tiles.FirstRow(tile);
                        MultiplyTile(
                            tile, first, end, decoded, table,
                            scratch + (panel - firstPanel) * PanelResults + (tileRow - firstRow) * PanelWidth);
                    }

                    first = end;
                }
            }

            sweep = sweepEnd;
        }
    }

    private readonly void MultiplyTile(int tile, int firstSegment, int endSegment, float* w, float* table, float* results)
    {
        var rows = Product.Tiles.KernelRows(tile);
        var x = Product.Inputs + Product.Tiles.Offset(tile) + (long)StepsOf(Segments.StartOf(firstSegment)) * rows;
        var sums = Sums + (long)Product.Tiles.FirstRow(tile) * Segments.Count * SumsOfSegment;
        switch (rows)
        {
            case 4:
                SegmentKernels<V, TSimd, TCodes>.Rows4(x, w, Segments, firstSegment, endSegment, table, sums, results);
                break;
            case 6:
                SegmentKernels<V, TSimd, TCodes>.Rows6(x, w, Segments, firstSegment, endSegment, table, sums, results);
                break;
            case 8:
                SegmentKernels<V, TSimd, TCodes>.Rows8(x, w, Segments, firstSegment, endSegment, table, sums, results);
                break;
            default:
                SegmentKernels<V, TSimd, TCodes>.Rows12(x, w, Segments, firstSegment, endSegment, table, sums, results);
                break;
        }
    }

    /// <summary>Decodes a block of a panel, and asks for the codes of the next.</summary>
    private readonly void Decode(int panel, int firstSegment, int endSegment, float* decoded, float* table)
    {
        var codes = Panels + panel * PanelBytes + TableBytes;
        var bytesOfPlace = (PanelBytes - TableBytes) / Segments.Length;
        var next = codes + bytesOfPlace * Segments.EndOf(endSegment - 1);
        var bytes = bytesOfPlace * (Segments.EndOf(endSegment - 1) - Segments.StartOf(firstSegment));
        for (long ahead = 0; ahead < bytes; ahead += LineBytes)
        {
            Prefetch.Read(next + ahead);
        }

        SegmentKernels<V, TSimd, TCodes>.Decode(
            Panels + panel * PanelBytes, TableBytes, Segments, firstSegment, endSegment, decoded, table);
    }

    private static int StepsOf(int places) => SegmentKernels<V, TSimd, TCodes>.StepsOf(places);

    private static void Begin(float* results, int rows, float* bias)
    {
        V first = TSimd.Load(bias), second = TSimd.Load(bias + TSimd.Lanes);
        for (var row = 0; row < rows; row++)
        {
            TSimd.Store(first, results);
            TSimd.Store(second, results + TSimd.Lanes);
            results += PanelWidth;
        }
    }
}
