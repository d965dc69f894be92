using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>The innermost loops of <see cref="AttentionJob{V, TSimd}"/>, for tiles of 16 slots. Versions for one and for four queries take
/// the same steps in the same order for each query; four share the loads of keys and values. <c>nextKeys</c> and <c>nextValues</c> are
/// where the next tile begins: asked for while this one is computed.</summary>
internal static unsafe class AttentionKernels<V, TSimd>
    where V : unmanaged
    where TSimd : ISimd<V>
{
    private const int Tile = CpuKvCache.TileSlots;

    /// <summary>scores[slot] = Σ_d q[d] · keys[d][slot], d ascending.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Score1(float* q, float* keys, float* nextKeys, int keyStride, int headDim, float* scores)
    {
        for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
        {
            var sum = TSimd.Create(0);
            var key = keys + lane;
            var ahead = nextKeys - keys;
            for (var d = 0; d < headDim; d++)
            {
                Prefetch.Read(key + ahead);
                sum = TSimd.MultiplyAdd(TSimd.Create(q[d]), TSimd.Load(key), sum);
                key += keyStride;
            }

            TSimd.Store(sum, scores + lane);
        }
    }

    /// <summary><see cref="Score1"/> for four queries; scores are <c>[4][16]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Score4(
        float* q0, float* q1, float* q2, float* q3, float* keys, float* nextKeys, int keyStride, int headDim, float* scores)
    {
        if (TSimd.Lanes < Tile)
        {
            Score4InPairs(q0, q1, q2, q3, keys, nextKeys, keyStride, headDim, scores);
            return;
        }

        V s0 = TSimd.Create(0), s1 = s0, s2 = s0, s3 = s0;
        var ahead = nextKeys - keys;
        for (var d = 0; d < headDim; d++)
        {
            Prefetch.Read(keys + ahead);
            var k = TSimd.Load(keys);
            s0 = TSimd.MultiplyAdd(TSimd.Create(q0[d]), k, s0);
            s1 = TSimd.MultiplyAdd(TSimd.Create(q1[d]), k, s1);
            s2 = TSimd.MultiplyAdd(TSimd.Create(q2[d]), k, s2);
            s3 = TSimd.MultiplyAdd(TSimd.Create(q3[d]), k, s3);
            keys += keyStride;
        }

        TSimd.Store(s0, scores);
        TSimd.Store(s1, scores + Tile);
        TSimd.Store(s2, scores + 2 * Tile);
        TSimd.Store(s3, scores + 3 * Tile);
    }

    /// <summary>The largest of a tile's scores and a value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Largest(float* scores, float value)
    {
        var largest = TSimd.Create(value);
        for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
        {
            largest = TSimd.Max(largest, TSimd.Load(scores + lane));
        }

        return TSimd.Largest(largest);
    }

    /// <summary>scores = factor · scores, and <see cref="Largest"/> of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float ScaledLargest(float* scores, float factor, float value)
    {
        var largest = TSimd.Create(value);
        for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
        {
            var scaled = TSimd.Multiply(TSimd.Load(scores + lane), TSimd.Create(factor));
            TSimd.Store(scaled, scores + lane);
            largest = TSimd.Max(largest, scaled);
        }

        return TSimd.Largest(largest);
    }

    /// <summary>scores = exp(scores − maximum).</summary>
    /// <returns>Their <see cref="VirtualLanes{V, TSimd}.Sum(float*)"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float ExpMinus(float* scores, float maximum)
    {
        var sum = TSimd.Create(0);
        for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
        {
            var weight = VectorMath<V, TSimd>.Exp(TSimd.Subtract(TSimd.Load(scores + lane), TSimd.Create(maximum)));
            TSimd.Store(weight, scores + lane);
            sum = TSimd.Add(sum, weight);
        }

        return TSimd.Lanes == 1 ? VirtualLanes<V, TSimd>.Sum(scores) : TSimd.Sum(sum);
    }

    /// <summary>scores = cap · tanh(scores / cap).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftCap(float* scores, float cap)
    {
        var caps = TSimd.Create(cap);
        for (var lane = 0; lane < Tile; lane += TSimd.Lanes)
        {
            TSimd.Store(
                TSimd.Multiply(caps, VectorMath<V, TSimd>.Tanh(TSimd.Divide(TSimd.Load(scores + lane), caps))), scores + lane);
        }
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

    /// <summary>output[d] += Σ_slot weights[slot] · values[slot][d] for slots in [from, to), ascending.</summary>
    public static void Accumulate1(
        float* weights, int from, int to, float* values, float* nextValues, int valueStride, int valueDim, float* output) =>
        Accumulate(weights, from, to, values, nextValues, valueStride, valueDim, 0, output);

    /// <summary><see cref="Accumulate1"/> over a whole tile for four queries: weights <c>[4][16]</c>, output
    /// <c>[4][valueDim]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate4(float* weights, float* values, float* nextValues, int valueStride, int valueDim, float* output)
    {
        var ahead = nextValues - values;
        float* output1 = output + valueDim, output2 = output1 + valueDim, output3 = output2 + valueDim;
        var d = 0;
        for (; d <= valueDim - 2 * TSimd.Lanes; d += 2 * TSimd.Lanes)
        {
            var e = d + TSimd.Lanes;
            V a0 = TSimd.Load(output + d), b0 = TSimd.Load(output + e);
            V a1 = TSimd.Load(output1 + d), b1 = TSimd.Load(output1 + e);
            V a2 = TSimd.Load(output2 + d), b2 = TSimd.Load(output2 + e);
            V a3 = TSimd.Load(output3 + d), b3 = TSimd.Load(output3 + e);
            var value = values + d;
            for (var slot = 0; slot < Tile; slot++)
            {
                Prefetch.Read(value + ahead);
                V v = TSimd.Load(value), w = TSimd.Load(value + TSimd.Lanes);
                var p = TSimd.Create(weights[slot]);
                a0 = TSimd.MultiplyAdd(p, v, a0);
                b0 = TSimd.MultiplyAdd(p, w, b0);
                p = TSimd.Create(weights[Tile + slot]);
                a1 = TSimd.MultiplyAdd(p, v, a1);
                b1 = TSimd.MultiplyAdd(p, w, b1);
                p = TSimd.Create(weights[2 * Tile + slot]);
                a2 = TSimd.MultiplyAdd(p, v, a2);
                b2 = TSimd.MultiplyAdd(p, w, b2);
                p = TSimd.Create(weights[3 * Tile + slot]);
                a3 = TSimd.MultiplyAdd(p, v, a3);
                b3 = TSimd.MultiplyAdd(p, w, b3);
                value += valueStride;
            }

            TSimd.Store(a0, output + d);
            TSimd.Store(b0, output + e);
            TSimd.Store(a1, output1 + d);
            TSimd.Store(b1, output1 + e);
            TSimd.Store(a2, output2 + d);
            TSimd.Store(b2, output2 + e);
            TSimd.Store(a3, output3 + d);
            TSimd.Store(b3, output3 + e);
        }

        for (var query = 0; query < 4; query++)
        {
            Accumulate(weights + query * Tile, 0, Tile, values, nextValues, valueStride, valueDim, d, output + query * valueDim);
        }
    }

    /// <summary><see cref="Accumulate1"/> for the dimensions from <paramref name="firstDim"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate(
        float* weights, int from, int to, float* values, float* nextValues, int valueStride, int valueDim, int firstDim, float* output)
    {
        var d = firstDim;
        for (; d <= valueDim - TSimd.Lanes; d += TSimd.Lanes)
        {
            var sum = TSimd.Load(output + d);
            for (var slot = from; slot < to; slot++)
            {
                Prefetch.Read(nextValues + slot * valueStride + d);
                sum = TSimd.MultiplyAdd(TSimd.Create(weights[slot]), TSimd.Load(values + slot * valueStride + d), sum);
            }

            TSimd.Store(sum, output + d);
        }

        // One at a time, with the very steps of a lane.
        for (; d < valueDim; d++)
        {
            var sum = output[d];
            for (var slot = from; slot < to; slot++)
            {
                sum = MathF.FusedMultiplyAdd(weights[slot], values[slot * valueStride + d], sum);
            }

            output[d] = sum;
        }
    }

    /// <summary><see cref="Score4"/> where a tile takes several vectors, two at a time: eight sums hide the latency of a
    /// multiply-add.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score4InPairs(
        float* q0, float* q1, float* q2, float* q3, float* keys, float* nextKeys, int keyStride, int headDim, float* scores)
    {
        var lanes = TSimd.Lanes;
        for (var lane = 0; lane < Tile; lane += 2 * lanes)
        {
            V s0 = TSimd.Create(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
            var key = keys + lane;
            var ahead = nextKeys - keys;
            for (var d = 0; d < headDim; d++)
            {
                Prefetch.Read(key + ahead);
                V k = TSimd.Load(key), l = TSimd.Load(key + lanes);
                var q = TSimd.Create(q0[d]);
                s0 = TSimd.MultiplyAdd(q, k, s0);
                t0 = TSimd.MultiplyAdd(q, l, t0);
                q = TSimd.Create(q1[d]);
                s1 = TSimd.MultiplyAdd(q, k, s1);
                t1 = TSimd.MultiplyAdd(q, l, t1);
                q = TSimd.Create(q2[d]);
                s2 = TSimd.MultiplyAdd(q, k, s2);
                t2 = TSimd.MultiplyAdd(q, l, t2);
                q = TSimd.Create(q3[d]);
                s3 = TSimd.MultiplyAdd(q, k, s3);
                t3 = TSimd.MultiplyAdd(q, l, t3);
                key += keyStride;
            }

            var target = scores + lane;
            TSimd.Store(s0, target);
            TSimd.Store(t0, target + lanes);
            TSimd.Store(s1, target + Tile);
            TSimd.Store(t1, target + Tile + lanes);
            TSimd.Store(s2, target + 2 * Tile);
            TSimd.Store(t2, target + 2 * Tile + lanes);
            TSimd.Store(s3, target + 3 * Tile);
            TSimd.Store(t3, target + 3 * Tile + lanes);
        }
    }
}
