using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>Layer normalization (Ba et al. 2016), with or without adding to the residual stream first.</summary>
internal unsafe struct LayerNormRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>What is normalized, <c>[rows, columns]</c>; when <see cref="Addend"/> is given it is added here first.</summary>
    public float* Input;

    /// <summary><c>[rows, columns]</c>, or null.</summary>
    public float* Addend;

    public float* Weight;

    /// <summary>Null where there is none.</summary>
    public float* Bias;
    public float* Output;
    public int Columns;
    public float Epsilon;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int row)
    {
        var input = Input + (long)row * Columns;
        if (Addend != null)
        {
            AddRows<V, TSimd>.Add(input, Addend + (long)row * Columns, Columns);
        }

        var mean = VirtualLanes<V, TSimd>.Sum(input, Columns) / Columns;

        // Not the mean of squares less the square of the mean: that would cancel.
        var scale = 1f / MathF.Sqrt(VirtualLanes<V, TSimd>.SumOfSquaredDeviations(input, mean, Columns) / Columns + Epsilon);
        var output = Output + (long)row * Columns;
        V means = TSimd.Create(mean), scales = TSimd.Create(scale);
        var i = 0;
        for (; i <= Columns - TSimd.Lanes; i += TSimd.Lanes)
        {
            var normed = TSimd.Multiply(TSimd.Subtract(TSimd.Load(input + i), means), scales);
            var bias = Bias == null ? TSimd.Create(0) : TSimd.Load(Bias + i);
            TSimd.Store(TSimd.MultiplyAdd(normed, TSimd.Load(Weight + i), bias), output + i);
        }

        for (; i < Columns; i++)
        {
            output[i] = MathF.FusedMultiplyAdd((input[i] - mean) * scale, Weight[i], Bias == null ? 0 : Bias[i]);
        }
    }
}
