using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>values[i] = function(values[i]). Cut by elements, not rows: the logits of one decoding sequence are a single long row.
/// Called by <see cref="VectorBackend{V, TSimd}"/>.</summary>
internal unsafe struct ElementwiseJob<V, TSimd, TFunction> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TFunction : unmanaged, IElementFunction
{
    private const int ElementsPerTask = 16 * 1024;

    public float* Values;
    public long Count;
    public TFunction Function;

    public readonly int Tasks => (int)((Count + ElementsPerTask - 1) / ElementsPerTask);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int task, int worker)
    {
        var i = (long)task * ElementsPerTask;
        var end = Math.Min(i + ElementsPerTask, Count);
        for (; i <= end - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.Store(Function.Apply<V, TSimd>(TSimd.Load(Values + i)), Values + i);
        }

        for (; i < end; i++)
        {
            Values[i] = Function.Apply<float, SimdScalar>(Values[i]);
        }
    }
}
