using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>The sum of the squares of some features of each row.</summary>
internal unsafe struct SquareSumRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>The first of the features in the first row.</summary>
    public float* X;
    public float* Sums;

    /// <summary>Floats from one row to the next.</summary>
    public int Stride;
    public int SumStride;
    public int Count;

    public readonly void Execute(int row) =>
        Sums[(long)row * SumStride] = VirtualLanes<V, TSimd>.SumOfSquares(X + (long)row * Stride, Count);
}
