using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>RMS normalization (Zhang and Sennrich 2019), with or without adding to the residual stream first.</summary>
internal unsafe struct NormRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>What is normalized, <c>[rows, columns]</c>; when <see cref="Addend"/> is given it is added here first.</summary>
    public float* Input;

    /// <summary><c>[rows, columns]</c>, or null.</summary>
    public float* Addend;

    public float* Weight;
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

        var scale = 1f / MathF.Sqrt(VirtualLanes<V, TSimd>.SumOfSquares(input, Columns) / Columns + Epsilon);
        var output = Output + (long)row * Columns;
        var scales = TSimd.Create(scale);
        var i = 0;
        for (; i <= Columns - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(TSimd.Multiply(TSimd.Load(input + i), scales), TSimd.Load(Weight + i)), output + i);
        }

        for (; i < Columns; i++)
        {
            output[i] = input[i] * scale * Weight[i];
        }
    }
}
