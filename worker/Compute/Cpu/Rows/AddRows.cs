using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>residual += x.</summary>
internal unsafe struct AddRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    public float* Residual;
    public float* X;
    public int Columns;

    public readonly void Execute(int row) => Add(Residual + (long)row * Columns, X + (long)row * Columns, Columns);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(float* residual, float* x, int count)
    {
        var i = 0;
        for (; i <= count - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Add(TSimd.Load(residual + i), TSimd.Load(x + i)), residual + i);
        }

        for (; i < count; i++)
        {
            residual[i] += x[i];
        }
    }
}
