using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>output[i] = activation(gateUp[i]) · gateUp[i + n] for rows of 2n.</summary>
internal unsafe struct ActivationRows<V, TSimd, TActivation> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TActivation : IActivation
{
    public float* GateUp;
    public float* Output;

    /// <summary>n: half a row of <see cref="GateUp"/>.</summary>
    public int Columns;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int row)
    {
        var gate = GateUp + 2L * row * Columns;
        var up = gate + Columns;
        var output = Output + (long)row * Columns;
        var i = 0;
        for (; i <= Columns - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(TActivation.Apply<V, TSimd>(TSimd.Load(gate + i)), TSimd.Load(up + i)), output + i);
        }

        for (; i < Columns; i++)
        {
            output[i] = TActivation.Apply<float, SimdScalar>(gate[i]) * up[i];
        }
    }
}
