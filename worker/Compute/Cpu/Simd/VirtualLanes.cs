using System.Runtime.CompilerServices;

namespace Cluster.Worker.Compute.Cpu.Simd;

/// <summary>Sums over vectors of 16 lanes, whatever the processor's width: narrower registers walk the same lanes in parts, so that
/// every machine adds in the same order and gets the same bits. Called by the norms and by attention.</summary>
/// <remarks>
/// A long sum has several accumulators of 16 lanes each, to hide the latency of an addition; element i belongs to lane i mod 16 of
/// accumulator i / 16. What is left behind the last whole round is added one by one. The lanes are then folded:
/// <code>
/// 16 lanes  i + (i + 8)  →  8  i + (i + 4)  →  4  i + (i + 2)  →  2  →  1
/// </code>
/// </remarks>
internal static unsafe class VirtualLanes<V, TSimd>
    where V : unmanaged
    where TSimd : ISimd<V>
{
    public const int Count = 16;

    /// <summary>Of 16 floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(float* lanes)
    {
        if (TSimd.Lanes == 1)
        {
            return Fold(lanes);
        }

        var sum = TSimd.Load(lanes);
        for (var lane = TSimd.Lanes; lane < Count; lane += TSimd.Lanes)
        {
            sum = TSimd.Add(sum, TSimd.Load(lanes + lane));
        }

        return TSimd.Sum(sum);
    }

    /// <summary>Σ x[i].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Sum(float* x, int count)
    {
        const int Round = 2 * Count;
        var lanes = stackalloc float[Count];
        var end = count - count % Round;
        for (var lane = 0; lane < Count; lane += TSimd.Lanes)
        {
            V a = TSimd.Create(0), b = a;
            for (var i = lane; i < end; i += Round)
            {
                a = TSimd.Add(TSimd.Load(x + i), a);
                b = TSimd.Add(TSimd.Load(x + i + Count), b);
            }

            TSimd.Store(TSimd.Add(a, b), lanes + lane);
        }

        var sum = Sum(lanes);
        for (var i = end; i < count; i++)
        {
            sum += x[i];
        }

        return sum;
    }

    /// <summary>Σ x[i]².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SumOfSquares(float* x, int count)
    {
        const int Round = 4 * Count;
        var lanes = stackalloc float[Count];
        var end = count - count % Round;
        for (var lane = 0; lane < Count; lane += TSimd.Lanes)
        {
            V a = TSimd.Create(0), b = a, c = a, d = a;
            for (var i = lane; i < end; i += Round)
            {
                V x0 = TSimd.Load(x + i), x1 = TSimd.Load(x + i + Count);
                V x2 = TSimd.Load(x + i + 2 * Count), x3 = TSimd.Load(x + i + 3 * Count);
                a = TSimd.MultiplyAdd(x0, x0, a);
                b = TSimd.MultiplyAdd(x1, x1, b);
                c = TSimd.MultiplyAdd(x2, x2, c);
                d = TSimd.MultiplyAdd(x3, x3, d);
            }

            TSimd.Store(TSimd.Add(TSimd.Add(a, b), TSimd.Add(c, d)), lanes + lane);
        }

        var sum = Sum(lanes);
        for (var i = end; i < count; i++)
        {
            sum += x[i] * x[i];
        }

        return sum;
    }

    /// <summary>Σ (x[i] − mean)².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SumOfSquaredDeviations(float* x, float mean, int count)
    {
        const int Round = 2 * Count;
        var lanes = stackalloc float[Count];
        var end = count - count % Round;
        var means = TSimd.Create(mean);
        for (var lane = 0; lane < Count; lane += TSimd.Lanes)
        {
            V a = TSimd.Create(0), b = a;
            for (var i = lane; i < end; i += Round)
            {
                V x0 = TSimd.Subtract(TSimd.Load(x + i), means), x1 = TSimd.Subtract(TSimd.Load(x + i + Count), means);
                a = TSimd.MultiplyAdd(x0, x0, a);
                b = TSimd.MultiplyAdd(x1, x1, b);
            }

            TSimd.Store(TSimd.Add(a, b), lanes + lane);
        }

        var sum = Sum(lanes);
        for (var i = end; i < count; i++)
        {
            sum += (x[i] - mean) * (x[i] - mean);
        }

        return sum;
    }

    private static float Fold(float* lanes)
    {
        var folded = stackalloc float[Count];
        new ReadOnlySpan<float>(lanes, Count).CopyTo(new Span<float>(folded, Count));
        for (var half = Count / 2; half > 0; half /= 2)
        {
            for (var i = 0; i < half; i++)
            {
                folded[i] += folded[i + half];
            }
        }

        return folded[0];
    }
}
