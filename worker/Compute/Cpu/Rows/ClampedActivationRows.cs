using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Rows;

/// <summary>output[i] = (up + 1) · gate · σ(1.702 · gate) for rows of 2n: n times gate, then n times up. See
/// <see cref="Backend.ClampedActivation"/>.</summary>
internal unsafe struct ClampedActivationRows<V, TSimd> : IRowBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    public float* GateUp;
    public float* Output;

    /// <summary>n: half a row of <see cref="GateUp"/>.</summary>
    public int Columns;
    public float Limit;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int row)
    {
        var gate = GateUp + 2L * row * Columns;
        var up = gate + Columns;
        var output = Output + (long)row * Columns;
        var i = 0;
        for (; i <= Columns - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.Store(Apply<V, TSimd>(TSimd.Load(gate + i), TSimd.Load(up + i), Limit), output + i);
        }

        for (; i < Columns; i++)
        {
            output[i] = Apply<float, SimdScalar>(gate[i], up[i], Limit);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static VAny Apply<VAny, TAny>(VAny gate, VAny up, float limit)
        where VAny : unmanaged
        where TAny : ISimd<VAny>
    {
        // What is compared stands second, so that NaN stays NaN.
        gate = TAny.Min(TAny.Create(limit), gate);
        up = TAny.Max(TAny.Create(-limit), TAny.Min(TAny.Create(limit), up));
        var gated = TAny.Multiply(gate, VectorMath<VAny, TAny>.Sigmoid(TAny.Multiply(TAny.Create(1.702f), gate)));
        return TAny.Multiply(TAny.Add(up, TAny.Create(1)), gated);
    }
}
