using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;

namespace Cluster.Benchmarks.Compare;

/// <summary>Attention of one decode step in one layer of Llama 3.2 1B, over a cache that no processor's own caches hold: the ceiling is the
/// time to read its keys and values once.</summary>
internal static class AttentionRow
{
    private const int Heads = 32;
    private const int KvHeads = 8;
    private const int HeadDim = 64;
    private const int BlockSize = 16;
    private const int Sequences = 8;
    private const int Context = 8192;
    private const int Columns = (Heads + (2 * KvHeads)) * HeadDim;

    public static RowResult Measure(CompareRow row, CompareRun run)
    {
        using var backend = CpuBackend.Create(new CpuOptions { Threads = run.Options.Threads });
        const int BlocksOfEach = Context / BlockSize;
        var cache = backend.AllocateKvCache(
            new KvCacheLayout(1, KvHeads, HeadDim, BlockSize, Sequences * BlocksOfEach, DType.BF16));
        Tensor Integers(int rows, int columns, IEnumerable<int> values)
        {
            var tensor = backend.Allocate("integers", DType.I32, rows, columns);
            backend.Upload(values.ToArray(), tensor);
            return tensor;
        }

        var tables = Integers(Sequences, BlocksOfEach, Enumerable.Range(0, Sequences * BlocksOfEach));
        Fill(backend, cache, tables, Integers);
        var last = Enumerable.Repeat(Context - 1, Sequences);
        var inputs = new AttentionInputs(
            Integers(Sequences, 1, last),
            Integers(Sequences, 1, Enumerable.Range(1, Sequences).Select(sequence => (sequence * Context) - 1)),
            Integers(Sequences + 1, 1, Enumerable.Range(0, Sequences + 1)),
            Integers(Sequences, 1, Enumerable.Repeat(Context, Sequences)), tables, 1, Context);
        Tensor qkv = backend.Allocate("qkv", DType.F32, Sequences, Columns),
            output = backend.Allocate("attention", DType.F32, Sequences, Heads * HeadDim);
        var settings = new AttentionSettings(Heads, 0.125f);
        List<double> seconds = [];
        for (var round = 0; round < run.Options.Runs; round++)
        {
            run.Say($"{row.Title}: round {round + 1} of {run.Options.Runs}");
            seconds.Add(BestTime.Of(() => backend.PagedAttention(qkv, inputs, cache, 0, settings, output)));
        }

        double bytes = cache.Layout.BytesPerBlock * cache.Layout.NumBlocks;
        var median = new SampleStatistics(seconds).Median;
        var least = bytes * 1e-9 / run.Ceilings.AllCores.GigabytesPerSecond;
        return new RowResult(row, [.. seconds.Select(value => value * 1000)], [], least / median, "bandwidth");
    }

    /// <summary>Every slot is written: pages that never were are one page of zeros.</summary>
    private static void Fill(CpuBackend backend, KvCache cache, Tensor tables, Func<int, int, IEnumerable<int>, Tensor> integers)
    {
        const int Chunk = 1024;
        var random = new Random(1);
        var source = GC.AllocateUninitializedArray<float>(Chunk * Columns, pinned: true);
        for (var i = 0; i < source.Length; i++)
        {
            source[i] = random.NextSingle() - 0.5f;
        }

        Tensor rows;
        unsafe
        {
            fixed (float* address = source)
            {
                rows = backend.LoadVector(new HostTensor("fill", DType.F32, [source.Length], (nint)address, source)) with
                {
                    Rows = Chunk,
                    Columns = Columns,
                };
            }
        }

        for (var first = 0; first < Sequences * Context; first += Chunk)
        {
            var positions = integers(Chunk, 1, Enumerable.Range(first % Context, Chunk));
            var slots = integers(Chunk, 1, Enumerable.Range(first, Chunk));
            backend.RopeAndCache(
                rows, null,
                new AttentionInputs(
                    positions, slots, integers(2, 1, [0, Chunk]), integers(1, 1, [Chunk]), tables with { Rows = 1 }, Chunk, Chunk),
                cache, 0);
        }
    }
}
