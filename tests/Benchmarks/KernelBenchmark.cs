using System.Collections.Immutable;
using System.Globalization;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Threads;
using Spectre.Console;

namespace Cluster.Benchmarks;

/// <summary>The kernels of <see cref="CpuBackend"/> against the ceilings of the machine: matrix products by bytes streamed and by
/// operations, attention by operations, element-wise kernels by bytes.</summary>
internal static class KernelBenchmark
{
    public static void Run(int threads)
    {
        using var backend = CpuBackend.Create(new CpuOptions { Threads = threads });
        Ceilings ceilings;
        using (var workers = new WorkerThreads(threads))
        {
            ceilings = Ceilings.Measure(workers);
        }

        AnsiConsole.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{backend.Description}; ceilings: {ceilings.GflopsPerSecond:F0} GFLOP/s, {ceilings.GigabytesPerSecond:F1} GB/s"));
        var table = new Table().AddColumns("kernel", "time", "GB/s", "% of memory", "GFLOP/s", "% of FMA");
        foreach (var column in table.Columns.Skip(1))
        {
            column.RightAligned().NoWrap();
        }

        Linear(backend, ceilings, table, DType.BF16, outFeatures: 16384, inFeatures: 4096, [1, 2, 4, 6, 8, 12]);
        Linear(backend, ceilings, table, DType.BF16, outFeatures: 1024, inFeatures: 4096, [64, 256]);
        Linear(backend, ceilings, table, DType.BF16, outFeatures: 1536, inFeatures: 576, [1, 256]);
        foreach (var dtype in new[] { DType.F16, DType.F32 })
        {
            Linear(backend, ceilings, table, dtype, outFeatures: 16384, inFeatures: 4096, [1]);
            Linear(backend, ceilings, table, dtype, outFeatures: 1024, inFeatures: 4096, [256]);
        }

        Attention(backend, ceilings, table, queries: 1, context: 256);
        Attention(backend, ceilings, table, queries: 1, context: 4096);
        Attention(backend, ceilings, table, queries: 128, context: 256);
        Elementwise(backend, ceilings, table);
        AnsiConsole.Write(table);
    }

    private static unsafe void Linear(
        CpuBackend backend, Ceilings ceilings, Table table, DType dtype, int outFeatures, int inFeatures, int[] batches)
    {
        // Zeros: multiplying them takes the same time.
        var bytes = GC.AllocateArray<byte>(outFeatures * inFeatures * dtype.Size(), pinned: true);
        fixed (byte* address = bytes)
        {
            var host = new HostTensor("w", dtype, ImmutableArray.Create(outFeatures, inFeatures), (nint)address, bytes);
            var weight = backend.LoadLinear("w", [host]);
            foreach (var rows in batches)
            {
                Tensor x = backend.Allocate("x", DType.F32, rows, inFeatures), y = backend.Allocate("y", DType.F32, rows, outFeatures);
                Report(
                    table,
                    ceilings,
                    $"{dtype} {outFeatures}x{inFeatures} x{rows}",
                    BestTime.Of(() => backend.Linear(x, weight, y)),
                    weight.ResidentBytes,
                    2.0 * rows * outFeatures * inFeatures);
            }
        }
    }

    private static void Attention(CpuBackend backend, Ceilings ceilings, Table table, int queries, int context)
    {
        const int Heads = 32, KvHeads = 8, HeadDim = 128, BlockSize = 16;
        var blocks = context / BlockSize;
        var cache = backend.AllocateKvCache(new KvCacheLayout(1, KvHeads, HeadDim, BlockSize, blocks, DType.F32));
        Tensor Integers(int rows, int columns, IEnumerable<int> values)
        {
            var tensor = backend.Allocate("integers", DType.I32, rows, columns);
            backend.Upload(values.ToArray(), tensor);
            return tensor;
        }

        var all = Integers(context, 1, Enumerable.Range(0, context));
        var positions = Integers(queries, 1, Enumerable.Range(context - queries, queries));
        var inputs = new AttentionInputs(
            positions, positions, Integers(2, 1, [0, queries]), Integers(1, 1, [context]), Integers(1, blocks, Enumerable.Range(0, blocks)),
            queries, context);
        const int Columns = (Heads + 2 * KvHeads) * HeadDim;
        backend.RopeAndCache(
            backend.Allocate("fill", DType.F32, context, Columns), null, inputs with { Positions = all, SlotMapping = all }, cache, 0);

        Tensor qkv = backend.Allocate("qkv", DType.F32, queries, Columns), output = backend.Allocate(
            "attention", DType.F32, queries, Heads * HeadDim);
        var settings = new AttentionSettings(Heads, 0.088f);
        var pairs = queries * (double)context - queries * (queries - 1) / 2.0;
        Report(
            table,
            ceilings,
            $"attention {queries} x {context}",
            BestTime.Of(() => backend.PagedAttention(qkv, inputs, cache, 0, settings, output)),
            cache.Layout.BytesPerBlock * blocks,
            4.0 * Heads * HeadDim * pairs);
    }

    private static void Elementwise(CpuBackend backend, Ceilings ceilings, Table table)
    {
        const int Rows = 512, Columns = 8192;
        Tensor x = backend.Allocate("x", DType.F32, Rows, Columns), y = backend.Allocate("y", DType.F32, Rows, Columns);
        Tensor wide = backend.Allocate("gate_up", DType.F32, Rows, 2 * Columns), weight = backend.Allocate("norm", DType.F32, 1, Columns);
        const double Bytes = (double)Rows * Columns * sizeof(float);
        Report(table, ceilings, $"rms norm {Rows}x{Columns}", BestTime.Of(() => backend.RmsNorm(x, weight, 1e-5f, y)), 2 * Bytes, null);
        foreach (var activation in Enum.GetValues<Activation>())
        {
            Report(
                table,
                ceilings,
                $"{activation} {Rows}x{Columns}",
                BestTime.Of(() => backend.GatedActivation(wide, activation, y)),
                3 * Bytes,
                null);
        }
    }

    private static void Report(Table table, Ceilings ceilings, string kernel, double seconds, double bytes, double? operations)
    {
        var gigabytes = bytes * 1e-9 / seconds;
        var gflops = operations * 1e-9 / seconds;
        table.AddRow(
            Markup.Escape(kernel),
            string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:F3} ms"),
            string.Create(CultureInfo.InvariantCulture, $"{gigabytes:F1}"),
            string.Create(CultureInfo.InvariantCulture, $"{100 * gigabytes / ceilings.GigabytesPerSecond:F0} %"),
            operations is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{gflops:F0}"),
            operations is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{100 * gflops / ceilings.GflopsPerSecond:F0} %"));
    }
}
