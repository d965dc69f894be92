using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Cluster.Worker.Compute.Cpu.Memory;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Benchmarking;

/// <summary>What the machine can do at most, measured in the run whose results are compared with it.</summary>
/// <param name="GflopsPerSecond">Multiply-adds on registers only, two operations each.</param>
/// <param name="GigabytesPerSecond">Reading memory far larger than the caches, in two streams a thread, which prefetchers like better than
/// one.</param>
internal sealed unsafe record Ceilings(double GflopsPerSecond, double GigabytesPerSecond)
{
    /// <summary>Before a model's own threads exist.</summary>
    public static Ceilings Measure(int threads)
    {
        using var workers = new WorkerThreads(threads);
        return Measure(workers);
    }

    public static Ceilings Measure(WorkerThreads threads) => Vector512.IsHardwareAccelerated
        ? Measure<Vector512<float>, Simd512>(threads)
        : Measure<Vector256<float>, Simd256>(threads);

    private static Ceilings Measure<V, TSimd>(WorkerThreads threads)
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        const int Rounds = 200_000;
        const int Chains = 10;
        var sinks = stackalloc float[threads.Count * 64];
        var multiplyAdds = new MultiplyAdds<V, TSimd> { Rounds = Rounds, Sinks = sinks };
        var seconds = BestTime.Of(() => threads.Run(threads.Count, long.MaxValue, multiplyAdds));
        var gflops = 2e-9 * Rounds * Chains * TSimd.Lanes * threads.Count / seconds;

        const long Bytes = 128L << 20;
        using var memory = new NativeMemoryBlock(Bytes);
        memory.Clear();
        var reading = new Reading<V, TSimd> { Memory = (float*)memory.Address, FloatsPerTask = 64 * 1024, Sinks = sinks };
        seconds = BestTime.Of(() => threads.Run((int)(Bytes / sizeof(float) / reading.FloatsPerTask), Bytes, reading));
        return new Ceilings(gflops, Bytes * 1e-9 / seconds);
    }

    private struct MultiplyAdds<V, TSimd> : IParallelBody
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        public int Rounds;
        public float* Sinks;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Execute(int task, int worker)
        {
            V x = TSimd.Create(0.999f), y = TSimd.Create(0.001f);
            V a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x;
            for (var round = 0; round < Rounds; round++)
            {
                a = TSimd.MultiplyAdd(a, x, y);
                b = TSimd.MultiplyAdd(b, x, y);
                c = TSimd.MultiplyAdd(c, x, y);
                d = TSimd.MultiplyAdd(d, x, y);
                e = TSimd.MultiplyAdd(e, x, y);
                f = TSimd.MultiplyAdd(f, x, y);
                g = TSimd.MultiplyAdd(g, x, y);
                h = TSimd.MultiplyAdd(h, x, y);
                i = TSimd.MultiplyAdd(i, x, y);
                j = TSimd.MultiplyAdd(j, x, y);
            }

            var left = TSimd.Add(TSimd.Add(TSimd.Add(a, b), TSimd.Add(c, d)), e);
            var right = TSimd.Add(TSimd.Add(TSimd.Add(f, g), TSimd.Add(h, i)), j);
            TSimd.Store(TSimd.Add(left, right), Sinks + task * 64);
        }
    }

    private struct Reading<V, TSimd> : IParallelBody
        where V : unmanaged
        where TSimd : ISimd<V>
    {
        public float* Memory;
        public int FloatsPerTask;
        public float* Sinks;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Execute(int task, int worker)
        {
            var source = Memory + (long)task * FloatsPerTask;
            var half = FloatsPerTask / 2;
            V a = TSimd.Create(0), b = a, c = a, d = a;
            for (var i = 0; i < half; i += 2 * TSimd.Lanes)
            {
                a = TSimd.Add(a, TSimd.Load(source + i));
                b = TSimd.Add(b, TSimd.Load(source + i + TSimd.Lanes));
                c = TSimd.Add(c, TSimd.Load(source + half + i));
                d = TSimd.Add(d, TSimd.Load(source + half + i + TSimd.Lanes));
            }

            TSimd.Store(TSimd.Add(TSimd.Add(a, b), TSimd.Add(c, d)), Sinks + worker * 64);
        }
    }
}
