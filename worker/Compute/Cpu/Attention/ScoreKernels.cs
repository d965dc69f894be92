using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Products of queries and keys, for two tiles of 16 slots. Called by <see cref="AttentionJob{V, TSimd, TCodes}"/>.</summary>
/// <remarks>Versions for one to four queries take the same steps in the same order for each query; they share the loads of keys, which
/// become floats in registers. Each has enough sums to hide the latency of a multiply-add.</remarks>
internal static unsafe class ScoreKernels<V, TSimd, TCodes>
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : ICacheCodes<TCodes>
{
    private const int Tile = CpuKvCache.TileSlots;
    private const int Stretch = AttentionStretch.Slots;

    /// <summary>Scores of one to four queries, each <see cref="AttentionStretch.Slots"/> after those of the query before. What is behind
    /// the last may be overwritten, as far as there would be three queries.</summary>
    public static void Score(Query* queries, int count, in KeyTiles keys, nint headDim, float* scores)
    {
        float* q0 = queries[0].Vector, q1 = queries[Math.Min(1, count - 1)].Vector, q2 = queries[Math.Min(2, count - 1)].Vector;
        if (count == 4)
        {
            Score4(q0, q1, q2, queries[3].Vector, keys, headDim, scores);
        }
        else if (count == 3 || TSimd.Lanes == Tile)
        {
            // Two tiles of one vector each are too few sums for fewer queries, and a third costs nothing.
            Score3(q0, q1, q2, keys, headDim, scores);
        }
        else if (count == 2)
        {
            Score2(q0, q1, keys, headDim, scores);
        }
        else
        {
            Score1(q0, keys, headDim, scores);
        }
    }

    /// <summary>scores[slot] = Σ_d q[d] · keys[d][slot], d ascending. Four vectors at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score1(float* q0, in KeyTiles keys, nint headDim, float* scores)
    {
        var (stride, apart) = (keys.Stride, keys.Second - keys.First);
        for (var lane = 0; lane < 2 * Tile; lane += 4 * TSimd.Lanes)
        {
            V s0 = TSimd.Create(0), t0 = s0, u0 = s0, v0 = s0;
            byte* a = keys.At(lane, TCodes.Size), b = keys.At(lane + 2 * TSimd.Lanes, TCodes.Size);
            long ahead = keys.AheadOf(lane), otherAhead = keys.AheadOf(lane + 2 * TSimd.Lanes);
            nint d = 0;
            for (; d <= headDim - 2; d += 2)
            {
                PrefetchRows(a + ahead, stride);
                PrefetchRows(b + otherAhead, stride);
                Step1(a, b, apart, q0 + d, ref s0, ref t0, ref u0, ref v0);
                Step1(a + stride, b + stride, apart, q0 + d + 1, ref s0, ref t0, ref u0, ref v0);
                a += 2 * stride;
                b += 2 * stride;
            }

            for (; d < headDim; d++)
            {
                Step1(a, b, apart, q0 + d, ref s0, ref t0, ref u0, ref v0);
                a += stride;
                b += stride;
            }

            var target = scores + lane;
            TCodes.StoreSums<V, TSimd>(s0, t0, target, target + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(u0, v0, target + 2 * TSimd.Lanes, target + 3 * TSimd.Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step1(
        byte* a, byte* b, long apart, float* q0,
        ref V s0, ref V t0, ref V u0, ref V v0)
    {
        TCodes.LoadPair<V, TSimd>(a, Next(a, apart), out var k, out var l);
        TCodes.LoadPair<V, TSimd>(b, Next(b, apart), out var m, out var n);
        var q = TSimd.Create(*q0);
        s0 = TSimd.MultiplyAdd(q, k, s0);
        t0 = TSimd.MultiplyAdd(q, l, t0);
        u0 = TSimd.MultiplyAdd(q, m, u0);
        v0 = TSimd.MultiplyAdd(q, n, v0);
    }

    /// <summary><see cref="Score1"/> for two queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score2(float* q0, float* q1, in KeyTiles keys, nint headDim, float* scores)
    {
        var (stride, apart) = (keys.Stride, keys.Second - keys.First);
        for (var lane = 0; lane < 2 * Tile; lane += 4 * TSimd.Lanes)
        {
            V s0 = TSimd.Create(0), t0 = s0, u0 = s0, v0 = s0, s1 = s0, t1 = s0, u1 = s0, v1 = s0;
            byte* a = keys.At(lane, TCodes.Size), b = keys.At(lane + 2 * TSimd.Lanes, TCodes.Size);
            long ahead = keys.AheadOf(lane), otherAhead = keys.AheadOf(lane + 2 * TSimd.Lanes);
            nint d = 0;
            for (; d <= headDim - 2; d += 2)
            {
                PrefetchRows(a + ahead, stride);
                PrefetchRows(b + otherAhead, stride);
                Step2(a, b, apart, q0 + d, q1 + d, ref s0, ref t0, ref u0, ref v0, ref s1, ref t1, ref u1, ref v1);
                Step2(
                    a + stride, b + stride, apart, q0 + d + 1, q1 + d + 1,
                    ref s0, ref t0, ref u0, ref v0, ref s1, ref t1, ref u1, ref v1);
                a += 2 * stride;
                b += 2 * stride;
            }

            for (; d < headDim; d++)
            {
                Step2(a, b, apart, q0 + d, q1 + d, ref s0, ref t0, ref u0, ref v0, ref s1, ref t1, ref u1, ref v1);
                a += stride;
                b += stride;
            }

            var target = scores + lane;
            TCodes.StoreSums<V, TSimd>(s0, t0, target, target + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(u0, v0, target + 2 * TSimd.Lanes, target + 3 * TSimd.Lanes);
            target += Stretch;
            TCodes.StoreSums<V, TSimd>(s1, t1, target, target + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(u1, v1, target + 2 * TSimd.Lanes, target + 3 * TSimd.Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step2(
        byte* a, byte* b, long apart, float* q0, float* q1,
        ref V s0, ref V t0, ref V u0, ref V v0, ref V s1, ref V t1, ref V u1, ref V v1)
    {
        TCodes.LoadPair<V, TSimd>(a, Next(a, apart), out var k, out var l);
        TCodes.LoadPair<V, TSimd>(b, Next(b, apart), out var m, out var n);
        var q = TSimd.Create(*q0);
        s0 = TSimd.MultiplyAdd(q, k, s0);
        t0 = TSimd.MultiplyAdd(q, l, t0);
        u0 = TSimd.MultiplyAdd(q, m, u0);
        v0 = TSimd.MultiplyAdd(q, n, v0);
        q = TSimd.Create(*q1);
        s1 = TSimd.MultiplyAdd(q, k, s1);
        t1 = TSimd.MultiplyAdd(q, l, t1);
        u1 = TSimd.MultiplyAdd(q, m, u1);
        v1 = TSimd.MultiplyAdd(q, n, v1);
    }

    /// <summary><see cref="Score1"/> for three queries, two vectors at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score3(float* q0, float* q1, float* q2, in KeyTiles keys, nint headDim, float* scores)
    {
        var (stride, apart) = (keys.Stride, keys.Second - keys.First);
        for (var lane = 0; lane < 2 * Tile; lane += 2 * TSimd.Lanes)
        {
            V s0 = TSimd.Create(0), t0 = s0, s1 = s0, t1 = s0, s2 = s0, t2 = s0;
            var a = keys.At(lane, TCodes.Size);
            var ahead = keys.AheadOf(lane);
            nint d = 0;
            for (; d <= headDim - 4; d += 4)
            {
                PrefetchRows(a + ahead, stride);
                Step3(a, apart, q0 + d, q1 + d, q2 + d, ref s0, ref t0, ref s1, ref t1, ref s2, ref t2);
                Step3(a + stride, apart, q0 + d + 1, q1 + d + 1, q2 + d + 1, ref s0, ref t0, ref s1, ref t1, ref s2, ref t2);
                PrefetchRows(a + ahead + 2 * stride, stride);
                Step3(a + 2 * stride, apart, q0 + d + 2, q1 + d + 2, q2 + d + 2, ref s0, ref t0, ref s1, ref t1, ref s2, ref t2);
                Step3(a + 3 * stride, apart, q0 + d + 3, q1 + d + 3, q2 + d + 3, ref s0, ref t0, ref s1, ref t1, ref s2, ref t2);
                a += 4 * stride;
            }

            for (; d < headDim; d++)
            {
                Step3(a, apart, q0 + d, q1 + d, q2 + d, ref s0, ref t0, ref s1, ref t1, ref s2, ref t2);
                a += stride;
            }

            var target = scores + lane;
            TCodes.StoreSums<V, TSimd>(s0, t0, target, target + TSimd.Lanes);
            target += Stretch;
            TCodes.StoreSums<V, TSimd>(s1, t1, target, target + TSimd.Lanes);
            target += Stretch;
            TCodes.StoreSums<V, TSimd>(s2, t2, target, target + TSimd.Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step3(
        byte* a, long apart, float* q0, float* q1, float* q2,
        ref V s0, ref V t0, ref V s1, ref V t1, ref V s2, ref V t2)
    {
        TCodes.LoadPair<V, TSimd>(a, Next(a, apart), out var k, out var l);
        var q = TSimd.Create(*q0);
        s0 = TSimd.MultiplyAdd(q, k, s0);
        t0 = TSimd.MultiplyAdd(q, l, t0);
        q = TSimd.Create(*q1);
        s1 = TSimd.MultiplyAdd(q, k, s1);
        t1 = TSimd.MultiplyAdd(q, l, t1);
        q = TSimd.Create(*q2);
        s2 = TSimd.MultiplyAdd(q, k, s2);
        t2 = TSimd.MultiplyAdd(q, l, t2);
    }

    /// <summary><see cref="Score3"/> for four queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score4(float* q0, float* q1, float* q2, float* q3, in KeyTiles keys, nint headDim, float* scores)
    {
        var (stride, apart) = (keys.Stride, keys.Second - keys.First);
        for (var lane = 0; lane < 2 * Tile; lane += 2 * TSimd.Lanes)
        {
            V s0 = TSimd.Create(0), t0 = s0, s1 = s0, t1 = s0, s2 = s0, t2 = s0, s3 = s0, t3 = s0;
            var a = keys.At(lane, TCodes.Size);
            var ahead = keys.AheadOf(lane);
            nint d = 0;
            for (; d <= headDim - 4; d += 4)
            {
                PrefetchRows(a + ahead, stride);
                Step4(a, apart, q0 + d, q1 + d, q2 + d, q3 + d, ref s0, ref t0, ref s1, ref t1, ref s2, ref t2, ref s3, ref t3);
                Step4(
                    a + stride, apart, q0 + d + 1, q1 + d + 1, q2 + d + 1, q3 + d + 1,
                    ref s0, ref t0, ref s1, ref t1, ref s2, ref t2, ref s3, ref t3);
                PrefetchRows(a + ahead + 2 * stride, stride);
                Step4(
                    a + 2 * stride, apart, q0 + d + 2, q1 + d + 2, q2 + d + 2, q3 + d + 2,
                    ref s0, ref t0, ref s1, ref t1, ref s2, ref t2, ref s3, ref t3);
                Step4(
                    a + 3 * stride, apart, q0 + d + 3, q1 + d + 3, q2 + d + 3, q3 + d + 3,
                    ref s0, ref t0, ref s1, ref t1, ref s2, ref t2, ref s3, ref t3);
                a += 4 * stride;
            }

            for (; d < headDim; d++)
            {
                Step4(a, apart, q0 + d, q1 + d, q2 + d, q3 + d, ref s0, ref t0, ref s1, ref t1, ref s2, ref t2, ref s3, ref t3);
                a += stride;
            }

            var target = scores + lane;
            TCodes.StoreSums<V, TSimd>(s0, t0, target, target + TSimd.Lanes);
            target += Stretch;
            TCodes.StoreSums<V, TSimd>(s1, t1, target, target + TSimd.Lanes);
            target += Stretch;
            TCodes.StoreSums<V, TSimd>(s2, t2, target, target + TSimd.Lanes);
            target += Stretch;
            TCodes.StoreSums<V, TSimd>(s3, t3, target, target + TSimd.Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step4(
        byte* a, long apart, float* q0, float* q1, float* q2, float* q3,
        ref V s0, ref V t0, ref V s1, ref V t1, ref V s2, ref V t2, ref V s3, ref V t3)
    {
        TCodes.LoadPair<V, TSimd>(a, Next(a, apart), out var k, out var l);
        var q = TSimd.Create(*q0);
        s0 = TSimd.MultiplyAdd(q, k, s0);
        t0 = TSimd.MultiplyAdd(q, l, t0);
        q = TSimd.Create(*q1);
        s1 = TSimd.MultiplyAdd(q, k, s1);
        t1 = TSimd.MultiplyAdd(q, l, t1);
        q = TSimd.Create(*q2);
        s2 = TSimd.MultiplyAdd(q, k, s2);
        t2 = TSimd.MultiplyAdd(q, l, t2);
        q = TSimd.Create(*q3);
        s3 = TSimd.MultiplyAdd(q, k, s3);
        t3 = TSimd.MultiplyAdd(q, l, t3);
    }

    /// <summary>The second vector of a pair: it lies behind the first, or in the other tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Next(byte* first, long apart) => TSimd.Lanes < Tile ? first + TSimd.Lanes * TCodes.Size : first + apart;

    /// <summary>Two rows: of codes smaller than floats both are in a cache line as a rule.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchRows(byte* row, long stride)
    {
        Prefetch.Read(row);
        if (TCodes.Size == sizeof(float))
        {
            Prefetch.Read(row + stride);
        }
    }
}
