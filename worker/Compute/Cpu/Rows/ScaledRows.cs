using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>x[i] *= factors[i].</summary>
internal unsafe struct ScaledRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    public float* X;
    public float* Factors;
    public int Columns;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int row)
    {
        var x = X + (long)row * Columns;
        var factors = TSimd.Create(Factors[row]);
        var i = 0;
        for (; i <= Columns - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(TSimd.Load(x + i), factors), x + i);
        }

        for (; i < Columns; i++)
        {
            x[i] *= Factors[row];
        }
    }
}
