using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>RMS normalization of single heads inside longer rows, in place. A row here is one head of one token.</summary>
internal unsafe struct HeadNormRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    public float* X;
    public float* Weight;

    /// <summary>Floats from one token to the next.</summary>
    public int Stride;
    public int FirstHead;
    public int Heads;
    public int HeadDim;
    public float Epsilon;

    public readonly void Execute(int row)
    {
        var head = X + (long)(row / Heads) * Stride + (long)(FirstHead + row % Heads) * HeadDim;
        new NormRows<V, TSimd> { Input = head, Output = head, Weight = Weight, Columns = HeadDim, Epsilon = Epsilon }.Execute(0);
    }
}
