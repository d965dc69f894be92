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

        var mean = Sum(input, Columns) / Columns;
        var scale = 1f / MathF.Sqrt(SumOfSquares(input, mean, Columns) / Columns + Epsilon);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(float* x, int count)
    {
        V a = TSimd.Create(0), b = TSimd.Create(0);
        var lanes = TSimd.Lanes;
        var i = 0;
        for (; i <= count - 2 * lanes; i += 2 * lanes)
        {
            a = TSimd.Add(TSimd.Load(x + i), a);
            b = TSimd.Add(TSimd.Load(x + i + lanes), b);
        }

        var sum = TSimd.Sum(TSimd.Add(a, b));
        for (; i < count; i++)
        {
            sum += x[i];
        }

        return sum;
    }

    /// <summary>Of the deviations from the mean: the mean of squares less the square of the mean would cancel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SumOfSquares(float* x, float mean, int count)
    {
        V a = TSimd.Create(0), b = TSimd.Create(0), means = TSimd.Create(mean);
        var lanes = TSimd.Lanes;
        var i = 0;
        for (; i <= count - 2 * lanes; i += 2 * lanes)
        {
            V x0 = TSimd.Subtract(TSimd.Load(x + i), means), x1 = TSimd.Subtract(TSimd.Load(x + i + lanes), means);
            a = TSimd.MultiplyAdd(x0, x0, a);
            b = TSimd.MultiplyAdd(x1, x1, b);
        }

        var sum = TSimd.Sum(TSimd.Add(a, b));
        for (; i < count; i++)
        {
            sum += (x[i] - mean) * (x[i] - mean);
        }

        return sum;
    }
}
