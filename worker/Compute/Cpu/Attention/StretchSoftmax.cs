using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>The softmax of one query over a stretch, and merging it with what was before. Scores are whole tiles of 16: the lanes of
/// <see cref="VirtualLanes{V, TSimd}"/>. Called by <see cref="AttentionJob{V, TSimd, TCodes}"/>.</summary>
internal static unsafe class StretchSoftmax<V, TSimd>
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>Scores are multiplied by this, so that weights are powers of two: all maxima are those of such scores.</summary>
    public const float Log2E = 1.44269504f;

    private const int Tile = CpuKvCache.TileSlots;

    /// <summary>Turns a stretch's scores into weights relative to their maximum.</summary>
    /// <param name="softCap">0 for none.</param>
    /// <param name="alibiSlope">0 for none.</param>
    /// <param name="slot">Position of the first of <paramref name="slots"/> scores.</param>
    /// <returns>The sum of the weights, which is 0 where the query sees nothing.</returns>
    public static float Weigh(
        in Query query, float softCap, float alibiSlope, int slot, int slots, float* scores, out float maximum)
    {
        var (from, to) = query.VisibleIn(slot, slots);
        if (from >= to)
        {
            maximum = float.NegativeInfinity;
            return 0;
        }

        var (begin, end) = (from / Tile * Tile, (to + Tile - 1) / Tile * Tile);
        var tiles = scores + begin;
        var count = end - begin;

        // Most stretches are seen whole, and take a pass before the maximum is known and one after it.
        var factor = query.Scale * Log2E;
        if (from == begin && to == end && softCap == 0 && alibiSlope == 0)
        {
            maximum = factor * Largest(tiles, count);
            return Weights(tiles, count, factor, maximum);
        }

        if (softCap != 0)
        {
            Scale(tiles, query.Scale, count);
            SoftCap(tiles, count, softCap);
            factor = Log2E;
        }

        if (alibiSlope != 0)
        {
            var slope = alibiSlope * Log2E;
            Scale(tiles, factor, count);
            factor = 1;
            for (var i = from; i < to; i++)
            {
                scores[i] += slope * (slot + i - query.Position);
            }
        }

        Span<float> before = new(tiles, from - begin), after = new(scores + to, end - to);
        before.Fill(float.NegativeInfinity);
        after.Fill(float.NegativeInfinity);
        maximum = factor * Largest(tiles, count);
        Weights(tiles, count, factor, maximum);
        before.Clear();
        after.Clear();
        return Sum(tiles, count);
    }

    /// <summary>Brings what a query has summed before and a part to the larger of their maxima, and adds them.</summary>
    public static void Merge(ref Query query, float* sums, float partMaximum, float partSum, float* part, int valueDim)
    {
        if (partSum == 0)
        {
            return;
        }

        var larger = Math.Max(query.Maximum, partMaximum);
        var factor = VectorMath<float, SimdScalar>.PowerOfTwoBelowOne(query.Maximum - larger);
        var partFactor = VectorMath<float, SimdScalar>.PowerOfTwoBelowOne(partMaximum - larger);
        query.Sum = MathF.FusedMultiplyAdd(query.Sum, factor, partSum * partFactor);
        query.Maximum = larger;
        Merge(sums, factor, part, partFactor, valueDim);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* values, float factor, int count)
    {
        var i = 0;
        for (; i <= count - TSimd.Lanes; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(TSimd.Load(values + i), TSimd.Create(factor)), values + i);
        }

        for (; i < count; i++)
        {
            values[i] *= factor;
        }
    }

    /// <summary>The largest of the scores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Largest(float* scores, int count)
    {
        var largest = TSimd.Create(float.NegativeInfinity);
        for (var i = 0; i < count; i += TSimd.Lanes)
        {
            largest = TSimd.Max(largest, TSimd.Load(scores + i));
        }

        return TSimd.Largest(largest);
    }

    /// <summary>scores = 2^(factor · scores − maximum).</summary>
    /// <returns>Their <see cref="Sum"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Weights(float* scores, int count, float factor, float maximum)
    {
        var lanes = stackalloc float[Tile];
        for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
        {
            V sum = TSimd.Create(0), factors = TSimd.Create(factor), minimum = TSimd.Create(-maximum);
            for (var i = lane; i < count; i += Tile)
            {
                var weight = VectorMath<V, TSimd>.PowerOfTwoBelowOne(TSimd.MultiplyAdd(TSimd.Load(scores + i), factors, minimum));
                TSimd.Store(weight, scores + i);
                sum = TSimd.Add(sum, weight);
            }

            TSimd.Store(sum, lanes + lane);
        }

        return VirtualLanes<V, TSimd>.Sum(lanes);
    }

    /// <summary>Tile after tile lane by lane, then over the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(float* weights, int count)
    {
        var lanes = stackalloc float[Tile];
        for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
        {
            var sum = TSimd.Create(0);
            for (var i = lane; i < count; i += Tile)
            {
                sum = TSimd.Add(sum, TSimd.Load(weights + i));
            }

            TSimd.Store(sum, lanes + lane);
        }

        return VirtualLanes<V, TSimd>.Sum(lanes);
    }

    /// <summary>scores = cap · tanh(scores / cap).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftCap(float* scores, int count, float cap)
    {
        var caps = TSimd.Create(cap);
        for (var i = 0; i < count; i += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(caps, VectorMath<V, TSimd>.Tanh(TSimd.Divide(TSimd.Load(scores + i), caps))), scores + i);
        }
    }

    /// <summary>sums = factor · sums + partFactor · part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Merge(float* sums, float factor, float* part, float partFactor, int count)
    {
        var i = 0;
        for (; i <= count - TSimd.Lanes; i += TSimd.Lanes)
        {
            var weighted = TSimd.Multiply(TSimd.Load(part + i), TSimd.Create(partFactor));
            TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(sums + i), TSimd.Create(factor), weighted), sums + i);
        }

        for (; i < count; i++)
        {
            sums[i] = MathF.FusedMultiplyAdd(sums[i], factor, part[i] * partFactor);
        }
    }
}
