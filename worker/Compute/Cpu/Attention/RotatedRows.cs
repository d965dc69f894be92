using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Rotates some heads of a row by its position. Called by <see cref="VectorBackend{V, TSimd}"/>.</summary>
internal unsafe struct RotatedRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>The first head to rotate of the first row.</summary>
    public float* FirstHead;

    public Rotation<V, TSimd> Rotation;
    public int* Positions;

    /// <summary>Elements from one row to the next.</summary>
    public int Stride;
    public int Heads;
    public int HeadDim;

    public readonly void Execute(int row) => Rotation.Apply(FirstHead + (long)row * Stride, Heads, HeadDim, Positions[row]);
}
