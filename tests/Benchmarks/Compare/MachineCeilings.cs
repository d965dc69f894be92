using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text.Json.Nodes;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Benchmarks.Compare;

/// <summary>What the machine can do at most, measured in the run whose results are compared with it.</summary>
/// <param name="OneCore">Multiply-adds of floats and memory on one thread.</param>
/// <param name="AllCores">The same on as many as the models have.</param>
/// <param name="Int8GopsPerSecond">Multiply-adds of bytes on registers only, two operations each, on all threads; 0 where the processor has
/// no instruction for them.</param>
internal sealed record MachineCeilings(int Threads, Ceilings OneCore, Ceilings AllCores, double Int8GopsPerSecond)
{
    public static MachineCeilings Measure(int threads)
    {
        using var workers = new WorkerThreads(threads);
        return new MachineCeilings(threads, Ceilings.Measure(1), Ceilings.Measure(workers), Int8(workers));
    }

    /// <summary>The best of two measurements: others only ever take away.</summary>
    public MachineCeilings Best(MachineCeilings other) => new(
        Threads, Best(OneCore, other.OneCore), Best(AllCores, other.AllCores), Math.Max(Int8GopsPerSecond, other.Int8GopsPerSecond));

    /// <summary>How much of the ceiling a measurement has reached, and which ceiling it is.</summary>
    public (double Share, string Ceiling) ShareOf(double seconds, double bytes, double operations)
    {
        var peaks = PeakRates.Of(AllCores);
        return (peaks.LeastSeconds(bytes, operations) / seconds, peaks.IsBoundByMemory(bytes, operations) ? "bandwidth" : "FMA");
    }

    public string Text() => string.Create(
        CultureInfo.InvariantCulture,
        $"FMA {OneCore.GflopsPerSecond:F0} GFLOP/s on one core, {AllCores.GflopsPerSecond:F0} on {Threads}; int8 {Int8GopsPerSecond:F0} "
        + $"GOP/s on {Threads}; memory {OneCore.GigabytesPerSecond:F1} GB/s on one core, {AllCores.GigabytesPerSecond:F1} on {Threads}");

    public JsonObject Json() => new()
    {
        ["threads"] = Threads,
        ["gflops_one_core"] = OneCore.GflopsPerSecond,
        ["gflops"] = AllCores.GflopsPerSecond,
        ["int8_gops"] = Int8GopsPerSecond,
        ["gigabytes_per_second_one_core"] = OneCore.GigabytesPerSecond,
        ["gigabytes_per_second"] = AllCores.GigabytesPerSecond,
    };

    private static Ceilings Best(Ceilings first, Ceilings second) => new(
        Math.Max(first.GflopsPerSecond, second.GflopsPerSecond), Math.Max(first.GigabytesPerSecond, second.GigabytesPerSecond));

    private static unsafe double Int8(WorkerThreads threads)
    {
        if (!Avx2.IsSupported)
        {
            return 0;
        }

        const int Rounds = 200_000;
        var sinks = stackalloc int[threads.Count * 64];
        var body = new ByteProducts { Rounds = Rounds, Sinks = sinks };
        var seconds = BestTime.Of(() => threads.Run(threads.Count, long.MaxValue, body));
        return 2e-9 * Rounds * ByteProducts.Chains * Vector256<byte>.Count * threads.Count / seconds;
    }

    private unsafe struct ByteProducts : IParallelBody
    {
        public const int Chains = 10;

        public int Rounds;
        public int* Sinks;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Execute(int task, int worker)
        {
            var x = Vector256.Create((byte)3);
            var y = Vector256.Create((sbyte)5);
            Vector256<int> a = default, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a;
            for (var round = 0; round < Rounds; round++)
            {
                a = Add(a, x, y);
                b = Add(b, x, y);
                c = Add(c, x, y);
                d = Add(d, x, y);
                e = Add(e, x, y);
                f = Add(f, x, y);
                g = Add(g, x, y);
                h = Add(h, x, y);
                i = Add(i, x, y);
                j = Add(j, x, y);
            }

            (((a + b) + (c + d)) + ((e + f) + (g + h)) + (i + j)).Store(Sinks + (task * 64));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector256<int> Add(Vector256<int> sum, Vector256<byte> left, Vector256<sbyte> right) => AvxVnni.IsSupported
            ? AvxVnni.MultiplyWideningAndAdd(sum, left, right)
            : Avx2.Add(sum, Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(left, right), Vector256<short>.One));
    }
}
