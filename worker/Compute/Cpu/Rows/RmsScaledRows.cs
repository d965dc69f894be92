using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>The second half of a norm whose sums of squares are given: x[i] *= weight[i] / √(sum / features + ε).</summary>
internal unsafe struct RmsScaledRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>The first of the features in the first row.</summary>
    public float* X;
    public float* Weight;
    public float* Sums;

    /// <summary>Floats from one row to the next.</summary>
    public int Stride;
    public int SumStride;
    public int Count;

    /// <summary>Squares in a sum.</summary>
    public int Features;
    public float Epsilon;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int row)
    {
        var x = X + (long)row * Stride;
        var scale = 1f / MathF.Sqrt(Sums[(long)row * SumStride] / Features + Epsilon);
        var scales = TSimd.Create(scale);
        var i = 0;
        for (; i <= Count - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(TSimd.Multiply(TSimd.Load(x + i), scales), TSimd.Load(Weight + i)), x + i);
        }

        for (; i < Count; i++)
        {
            x[i] = x[i] * scale * Weight[i];
        }
    }
}
