using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>output[t] = Σ_j weights[t, j] · x[t·chosen + j], j ascending; without weights the plain sum.</summary>
internal unsafe struct SumExpertRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    public float* X;

    /// <summary>Or null.</summary>
    public float* Weights;
    public float* Output;
    public int Chosen;
    public int Columns;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int row)
    {
        var x = X + (long)row * Chosen * Columns;
        var weights = Weights == null ? null : Weights + (long)row * Chosen;
        var output = Output + (long)row * Columns;
        var i = 0;
        for (; i <= Columns - TSimd.Lanes; i += TSimd.Lanes)
        {
            var sum = TSimd.Create(0);
            for (var j = 0; j < Chosen; j++)
            {
                sum = TSimd.MultiplyAdd(TSimd.Create(weights == null ? 1 : weights[j]), TSimd.Load(x + (long)j * Columns + i), sum);
            }

            TSimd.Store(sum, output + i);
        }

        for (; i < Columns; i++)
        {
            var sum = 0f;
            for (var j = 0; j < Chosen; j++)
            {
                sum = MathF.FusedMultiplyAdd(weights == null ? 1 : weights[j], x[(long)j * Columns + i], sum);
            }

            output[i] = sum;
        }
    }
}
