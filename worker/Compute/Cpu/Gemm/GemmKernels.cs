using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>The innermost loops of <see cref="GemmJob{V, TSimd, TFormat}"/>: a few input rows times one or two weight panels, accumulators
/// in registers.</summary>
/// <remarks>
/// <para>Every output is one accumulator that takes its products in ascending k, one fused multiply-add each. All kernels do exactly that,
/// so the number of rows computed together, the kernel chosen, a split of k into blocks and even the vector width leave no trace in the
/// result.</para>
/// <para>Arguments: <c>x</c> is a tile of inputs <c>[k][rows]</c>; <c>w</c> a panel at the same k; <c>start</c> where the accumulators
/// start from (the bias for the first block of k, the tile itself for later ones), rows <c>startStride</c> apart; <c>tile</c> the results,
/// <c>[rows][panel width]</c>; <c>ahead</c> where the weights are that are needed after these, of which a pair's bytes are asked for with
/// each pair.</para>
/// <para>One or two rows give too few accumulators to hide the latency of a multiply-add, so those kernels take two panels at once.</para>
/// </remarks>
internal static unsafe class GemmKernels<V, TSimd, TFormat>
    where V : unmanaged
    where TSimd : ISimd<V>
    where TFormat : IPanelFormat
{
    /// <summary>How far ahead weights that are streamed are asked for: hardware prefetchers stop at every page, a panel goes on. Of two
    /// panels the first is followed by the one after the second.</summary>
    public const int PrefetchBytes = 8192;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows1(
        float* x, byte* w, byte* nextW, int pairs, float* start, float* nextStart, int startStride, float* tile, float* nextTile)
    {
        var lanes = TSimd.Lanes;
        var pairBytes = 2 * lanes * TFormat.PairBytes;
        V a0 = TSimd.Load(start), b0 = TSimd.Load(start + lanes);
        V c0 = TSimd.Load(nextStart), d0 = TSimd.Load(nextStart + lanes);
        var ahead = (long)PrefetchBytes;
        var (turn, skip) = (Math.Max(0, pairs - PrefetchBytes / pairBytes), nextW - w);
        for (var pair = 0; pair < pairs; pair++)
        {
            ahead += pair == turn ? skip : 0;
            ReadOnce(w + ahead, pairBytes);
            ReadOnce(nextW + ahead, pairBytes);
            var x0 = TSimd.Create(x[0]);
            var v = TFormat.Even<V, TSimd>(w, 0);
            a0 = TSimd.MultiplyAdd(x0, v, a0);
            v = TFormat.Even<V, TSimd>(w, 1);
            b0 = TSimd.MultiplyAdd(x0, v, b0);
            v = TFormat.Even<V, TSimd>(nextW, 0);
            c0 = TSimd.MultiplyAdd(x0, v, c0);
            v = TFormat.Even<V, TSimd>(nextW, 1);
            d0 = TSimd.MultiplyAdd(x0, v, d0);

            x0 = TSimd.Create(x[1]);
            v = TFormat.Odd<V, TSimd>(w, 0);
            a0 = TSimd.MultiplyAdd(x0, v, a0);
            v = TFormat.Odd<V, TSimd>(w, 1);
            b0 = TSimd.MultiplyAdd(x0, v, b0);
            v = TFormat.Odd<V, TSimd>(nextW, 0);
            c0 = TSimd.MultiplyAdd(x0, v, c0);
            v = TFormat.Odd<V, TSimd>(nextW, 1);
            d0 = TSimd.MultiplyAdd(x0, v, d0);

            x += 2;
            w += pairBytes;
            nextW += pairBytes;
        }

        TSimd.Store(a0, tile);
        TSimd.Store(b0, tile + lanes);
        TSimd.Store(c0, nextTile);
        TSimd.Store(d0, nextTile + lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows2(
        float* x, byte* w, byte* nextW, int pairs, float* start, float* nextStart, int startStride, float* tile, float* nextTile)
    {
        var lanes = TSimd.Lanes;
        var pairBytes = 2 * lanes * TFormat.PairBytes;
        V a0 = TSimd.Load(start), b0 = TSimd.Load(start + lanes);
        V c0 = TSimd.Load(nextStart), d0 = TSimd.Load(nextStart + lanes);
        V a1 = TSimd.Load(start + startStride), b1 = TSimd.Load(start + startStride + lanes);
        V c1 = TSimd.Load(nextStart + startStride), d1 = TSimd.Load(nextStart + startStride + lanes);
        var ahead = (long)PrefetchBytes;
        var (turn, skip) = (Math.Max(0, pairs - PrefetchBytes / pairBytes), nextW - w);
        for (var pair = 0; pair < pairs; pair++)
        {
            ahead += pair == turn ? skip : 0;
            ReadOnce(w + ahead, pairBytes);
            ReadOnce(nextW + ahead, pairBytes);
            var x0 = TSimd.Create(x[0]);
            var x1 = TSimd.Create(x[1]);
            var v = TFormat.Even<V, TSimd>(w, 0);
            a0 = TSimd.MultiplyAdd(x0, v, a0);
            a1 = TSimd.MultiplyAdd(x1, v, a1);
            v = TFormat.Even<V, TSimd>(w, 1);
            b0 = TSimd.MultiplyAdd(x0, v, b0);
            b1 = TSimd.MultiplyAdd(x1, v, b1);
            v = TFormat.Even<V, TSimd>(nextW, 0);
            c0 = TSimd.MultiplyAdd(x0, v, c0);
            c1 = TSimd.MultiplyAdd(x1, v, c1);
            v = TFormat.Even<V, TSimd>(nextW, 1);
            d0 = TSimd.MultiplyAdd(x0, v, d0);
            d1 = TSimd.MultiplyAdd(x1, v, d1);

            x0 = TSimd.Create(x[2]);
            x1 = TSimd.Create(x[3]);
            v = TFormat.Odd<V, TSimd>(w, 0);
            a0 = TSimd.MultiplyAdd(x0, v, a0);
            a1 = TSimd.MultiplyAdd(x1, v, a1);
            v = TFormat.Odd<V, TSimd>(w, 1);
            b0 = TSimd.MultiplyAdd(x0, v, b0);
            b1 = TSimd.MultiplyAdd(x1, v, b1);
            v = TFormat.Odd<V, TSimd>(nextW, 0);
            c0 = TSimd.MultiplyAdd(x0, v, c0);
            c1 = TSimd.MultiplyAdd(x1, v, c1);
            v = TFormat.Odd<V, TSimd>(nextW, 1);
            d0 = TSimd.MultiplyAdd(x0, v, d0);
            d1 = TSimd.MultiplyAdd(x1, v, d1);

            x += 4;
            w += pairBytes;
            nextW += pairBytes;
        }

        TSimd.Store(a0, tile);
        TSimd.Store(b0, tile + lanes);
        TSimd.Store(c0, nextTile);
        TSimd.Store(d0, nextTile + lanes);
        TSimd.Store(a1, tile + 2 * lanes);
        TSimd.Store(b1, tile + 2 * lanes + lanes);
        TSimd.Store(c1, nextTile + 2 * lanes);
        TSimd.Store(d1, nextTile + 2 * lanes + lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows4(float* x, byte* w, byte* ahead, int pairs, float* start, int startStride, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        var pairBytes = width * TFormat.PairBytes;
        V a0 = TSimd.Load(start), b0 = TSimd.Load(start + lanes);
        V a1 = TSimd.Load(start + startStride), b1 = TSimd.Load(start + startStride + lanes);
        V a2 = TSimd.Load(start + 2 * startStride), b2 = TSimd.Load(start + 2 * startStride + lanes);
        V a3 = TSimd.Load(start + 3 * startStride), b3 = TSimd.Load(start + 3 * startStride + lanes);
        for (var pair = 0; pair < pairs; pair++)
        {
            Read(ahead, pairBytes);
            var w0 = TFormat.Even<V, TSimd>(w, 0);
            var w1 = TFormat.Even<V, TSimd>(w, 1);
            var v = TSimd.Create(x[0]);
            a0 = TSimd.MultiplyAdd(v, w0, a0);
            b0 = TSimd.MultiplyAdd(v, w1, b0);
            v = TSimd.Create(x[1]);
            a1 = TSimd.MultiplyAdd(v, w0, a1);
            b1 = TSimd.MultiplyAdd(v, w1, b1);
            v = TSimd.Create(x[2]);
            a2 = TSimd.MultiplyAdd(v, w0, a2);
            b2 = TSimd.MultiplyAdd(v, w1, b2);
            v = TSimd.Create(x[3]);
            a3 = TSimd.MultiplyAdd(v, w0, a3);
            b3 = TSimd.MultiplyAdd(v, w1, b3);

            w0 = TFormat.Odd<V, TSimd>(w, 0);
            w1 = TFormat.Odd<V, TSimd>(w, 1);
            v = TSimd.Create(x[4]);
            a0 = TSimd.MultiplyAdd(v, w0, a0);
            b0 = TSimd.MultiplyAdd(v, w1, b0);
            v = TSimd.Create(x[5]);
            a1 = TSimd.MultiplyAdd(v, w0, a1);
            b1 = TSimd.MultiplyAdd(v, w1, b1);
            v = TSimd.Create(x[6]);
            a2 = TSimd.MultiplyAdd(v, w0, a2);
            b2 = TSimd.MultiplyAdd(v, w1, b2);
            v = TSimd.Create(x[7]);
            a3 = TSimd.MultiplyAdd(v, w0, a3);
            b3 = TSimd.MultiplyAdd(v, w1, b3);

            x += 8;
            w += pairBytes;
            ahead += pairBytes;
        }

        TSimd.Store(a0, tile);
        TSimd.Store(b0, tile + lanes);
        TSimd.Store(a1, tile + width);
        TSimd.Store(b1, tile + width + lanes);
        TSimd.Store(a2, tile + 2 * width);
        TSimd.Store(b2, tile + 2 * width + lanes);
        TSimd.Store(a3, tile + 3 * width);
        TSimd.Store(b3, tile + 3 * width + lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows6(float* x, byte* w, byte* ahead, int pairs, float* start, int startStride, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        var pairBytes = width * TFormat.PairBytes;
        V a0 = TSimd.Load(start), b0 = TSimd.Load(start + lanes);
        V a1 = TSimd.Load(start + startStride), b1 = TSimd.Load(start + startStride + lanes);
        V a2 = TSimd.Load(start + 2 * startStride), b2 = TSimd.Load(start + 2 * startStride + lanes);
        V a3 = TSimd.Load(start + 3 * startStride), b3 = TSimd.Load(start + 3 * startStride + lanes);
        V a4 = TSimd.Load(start + 4 * startStride), b4 = TSimd.Load(start + 4 * startStride + lanes);
        V a5 = TSimd.Load(start + 5 * startStride), b5 = TSimd.Load(start + 5 * startStride + lanes);
        for (var pair = 0; pair < pairs; pair++)
        {
            Read(ahead, pairBytes);
            var w0 = TFormat.Even<V, TSimd>(w, 0);
            var w1 = TFormat.Even<V, TSimd>(w, 1);
            var v = TSimd.Create(x[0]);
            a0 = TSimd.MultiplyAdd(v, w0, a0);
            b0 = TSimd.MultiplyAdd(v, w1, b0);
            v = TSimd.Create(x[1]);
            a1 = TSimd.MultiplyAdd(v, w0, a1);
            b1 = TSimd.MultiplyAdd(v, w1, b1);
            v = TSimd.Create(x[2]);
            a2 = TSimd.MultiplyAdd(v, w0, a2);
            b2 = TSimd.MultiplyAdd(v, w1, b2);
            v = TSimd.Create(x[3]);
            a3 = TSimd.MultiplyAdd(v, w0, a3);
            b3 = TSimd.MultiplyAdd(v, w1, b3);
            v = TSimd.Create(x[4]);
            a4 = TSimd.MultiplyAdd(v, w0, a4);
            b4 = TSimd.MultiplyAdd(v, w1, b4);
            v = TSimd.Create(x[5]);
            a5 = TSimd.MultiplyAdd(v, w0, a5);
            b5 = TSimd.MultiplyAdd(v, w1, b5);

            w0 = TFormat.Odd<V, TSimd>(w, 0);
            w1 = TFormat.Odd<V, TSimd>(w, 1);
            v = TSimd.Create(x[6]);
            a0 = TSimd.MultiplyAdd(v, w0, a0);
            b0 = TSimd.MultiplyAdd(v, w1, b0);
            v = TSimd.Create(x[7]);
            a1 = TSimd.MultiplyAdd(v, w0, a1);
            b1 = TSimd.MultiplyAdd(v, w1, b1);
            v = TSimd.Create(x[8]);
            a2 = TSimd.MultiplyAdd(v, w0, a2);
            b2 = TSimd.MultiplyAdd(v, w1, b2);
            v = TSimd.Create(x[9]);
            a3 = TSimd.MultiplyAdd(v, w0, a3);
            b3 = TSimd.MultiplyAdd(v, w1, b3);
            v = TSimd.Create(x[10]);
            a4 = TSimd.MultiplyAdd(v, w0, a4);
            b4 = TSimd.MultiplyAdd(v, w1, b4);
            v = TSimd.Create(x[11]);
            a5 = TSimd.MultiplyAdd(v, w0, a5);
            b5 = TSimd.MultiplyAdd(v, w1, b5);

            x += 12;
            w += pairBytes;
            ahead += pairBytes;
        }

        TSimd.Store(a0, tile);
        TSimd.Store(b0, tile + lanes);
        TSimd.Store(a1, tile + width);
        TSimd.Store(b1, tile + width + lanes);
        TSimd.Store(a2, tile + 2 * width);
        TSimd.Store(b2, tile + 2 * width + lanes);
        TSimd.Store(a3, tile + 3 * width);
        TSimd.Store(b3, tile + 3 * width + lanes);
        TSimd.Store(a4, tile + 4 * width);
        TSimd.Store(b4, tile + 4 * width + lanes);
        TSimd.Store(a5, tile + 5 * width);
        TSimd.Store(b5, tile + 5 * width + lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows8(float* x, byte* w, byte* ahead, int pairs, float* start, int startStride, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        var pairBytes = width * TFormat.PairBytes;
        V a0 = TSimd.Load(start), b0 = TSimd.Load(start + lanes);
        V a1 = TSimd.Load(start + startStride), b1 = TSimd.Load(start + startStride + lanes);
        V a2 = TSimd.Load(start + 2 * startStride), b2 = TSimd.Load(start + 2 * startStride + lanes);
        V a3 = TSimd.Load(start + 3 * startStride), b3 = TSimd.Load(start + 3 * startStride + lanes);
        V a4 = TSimd.Load(start + 4 * startStride), b4 = TSimd.Load(start + 4 * startStride + lanes);
        V a5 = TSimd.Load(start + 5 * startStride), b5 = TSimd.Load(start + 5 * startStride + lanes);
        V a6 = TSimd.Load(start + 6 * startStride), b6 = TSimd.Load(start + 6 * startStride + lanes);
        V a7 = TSimd.Load(start + 7 * startStride), b7 = TSimd.Load(start + 7 * startStride + lanes);
        for (var pair = 0; pair < pairs; pair++)
        {
            Read(ahead, pairBytes);
            var w0 = TFormat.Even<V, TSimd>(w, 0);
            var w1 = TFormat.Even<V, TSimd>(w, 1);
            var v = TSimd.Create(x[0]);
            a0 = TSimd.MultiplyAdd(v, w0, a0);
            b0 = TSimd.MultiplyAdd(v, w1, b0);
            v = TSimd.Create(x[1]);
            a1 = TSimd.MultiplyAdd(v, w0, a1);
            b1 = TSimd.MultiplyAdd(v, w1, b1);
            v = TSimd.Create(x[2]);
            a2 = TSimd.MultiplyAdd(v, w0, a2);
            b2 = TSimd.MultiplyAdd(v, w1, b2);
            v = TSimd.Create(x[3]);
            a3 = TSimd.MultiplyAdd(v, w0, a3);
            b3 = TSimd.MultiplyAdd(v, w1, b3);
            v = TSimd.Create(x[4]);
            a4 = TSimd.MultiplyAdd(v, w0, a4);
            b4 = TSimd.MultiplyAdd(v, w1, b4);
            v = TSimd.Create(x[5]);
            a5 = TSimd.MultiplyAdd(v, w0, a5);
            b5 = TSimd.MultiplyAdd(v, w1, b5);
            v = TSimd.Create(x[6]);
            a6 = TSimd.MultiplyAdd(v, w0, a6);
            b6 = TSimd.MultiplyAdd(v, w1, b6);
            v = TSimd.Create(x[7]);
            a7 = TSimd.MultiplyAdd(v, w0, a7);
            b7 = TSimd.MultiplyAdd(v, w1, b7);

            w0 = TFormat.Odd<V, TSimd>(w, 0);
            w1 = TFormat.Odd<V, TSimd>(w, 1);
            v = TSimd.Create(x[8]);
            a0 = TSimd.MultiplyAdd(v, w0, a0);
            b0 = TSimd.MultiplyAdd(v, w1, b0);
            v = TSimd.Create(x[9]);
            a1 = TSimd.MultiplyAdd(v, w0, a1);
            b1 = TSimd.MultiplyAdd(v, w1, b1);
            v = TSimd.Create(x[10]);
            a2 = TSimd.MultiplyAdd(v, w0, a2);
            b2 = TSimd.MultiplyAdd(v, w1, b2);
            v = TSimd.Create(x[11]);
            a3 = TSimd.MultiplyAdd(v, w0, a3);
            b3 = TSimd.MultiplyAdd(v, w1, b3);
            v = TSimd.Create(x[12]);
            a4 = TSimd.MultiplyAdd(v, w0, a4);
            b4 = TSimd.MultiplyAdd(v, w1, b4);
            v = TSimd.Create(x[13]);
            a5 = TSimd.MultiplyAdd(v, w0, a5);
            b5 = TSimd.MultiplyAdd(v, w1, b5);
            v = TSimd.Create(x[14]);
            a6 = TSimd.MultiplyAdd(v, w0, a6);
            b6 = TSimd.MultiplyAdd(v, w1, b6);
            v = TSimd.Create(x[15]);
            a7 = TSimd.MultiplyAdd(v, w0, a7);
            b7 = TSimd.MultiplyAdd(v, w1, b7);

            x += 16;
            w += pairBytes;
            ahead += pairBytes;
        }

        TSimd.Store(a0, tile);
        TSimd.Store(b0, tile + lanes);
        TSimd.Store(a1, tile + width);
        TSimd.Store(b1, tile + width + lanes);
        TSimd.Store(a2, tile + 2 * width);
        TSimd.Store(b2, tile + 2 * width + lanes);
        TSimd.Store(a3, tile + 3 * width);
        TSimd.Store(b3, tile + 3 * width + lanes);
        TSimd.Store(a4, tile + 4 * width);
        TSimd.Store(b4, tile + 4 * width + lanes);
        TSimd.Store(a5, tile + 5 * width);
        TSimd.Store(b5, tile + 5 * width + lanes);
        TSimd.Store(a6, tile + 6 * width);
        TSimd.Store(b6, tile + 6 * width + lanes);
        TSimd.Store(a7, tile + 7 * width);
        TSimd.Store(b7, tile + 7 * width + lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows12(float* x, byte* w, byte* ahead, int pairs, float* start, int startStride, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        var pairBytes = width * TFormat.PairBytes;
        V a0 = TSimd.Load(start), b0 = TSimd.Load(start + lanes);
        V a1 = TSimd.Load(start + startStride), b1 = TSimd.Load(start + startStride + lanes);
        V a2 = TSimd.Load(start + 2 * startStride), b2 = TSimd.Load(start + 2 * startStride + lanes);
        V a3 = TSimd.Load(start + 3 * startStride), b3 = TSimd.Load(start + 3 * startStride + lanes);
        V a4 = TSimd.Load(start + 4 * startStride), b4 = TSimd.Load(start + 4 * startStride + lanes);
        V a5 = TSimd.Load(start + 5 * startStride), b5 = TSimd.Load(start + 5 * startStride + lanes);
        V a6 = TSimd.Load(start + 6 * startStride), b6 = TSimd.Load(start + 6 * startStride + lanes);
        V a7 = TSimd.Load(start + 7 * startStride), b7 = TSimd.Load(start + 7 * startStride + lanes);
        V a8 = TSimd.Load(start + 8 * startStride), b8 = TSimd.Load(start + 8 * startStride + lanes);
        V a9 = TSimd.Load(start + 9 * startStride), b9 = TSimd.Load(start + 9 * startStride + lanes);
        V a10 = TSimd.Load(start + 10 * startStride), b10 = TSimd.Load(start + 10 * startStride + lanes);
        V a11 = TSimd.Load(start + 11 * startStride), b11 = TSimd.Load(start + 11 * startStride + lanes);
        for (var pair = 0; pair < pairs; pair++)
        {
            var w0 = TFormat.Even<V, TSimd>(w, 0);
            var w1 = TFormat.Even<V, TSimd>(w, 1);
            var v = TSimd.Create(x[0]);
            a0 = TSimd.MultiplyAdd(v, w0, a0);
            b0 = TSimd.MultiplyAdd(v, w1, b0);
            v = TSimd.Create(x[1]);
            a1 = TSimd.MultiplyAdd(v, w0, a1);
            b1 = TSimd.MultiplyAdd(v, w1, b1);
            v = TSimd.Create(x[2]);
            a2 = TSimd.MultiplyAdd(v, w0, a2);
            b2 = TSimd.MultiplyAdd(v, w1, b2);
            v = TSimd.Create(x[3]);
            a3 = TSimd.MultiplyAdd(v, w0, a3);
            b3 = TSimd.MultiplyAdd(v, w1, b3);
            v = TSimd.Create(x[4]);
            a4 = TSimd.MultiplyAdd(v, w0, a4);
            b4 = TSimd.MultiplyAdd(v, w1, b4);
            v = TSimd.Create(x[5]);
            a5 = TSimd.MultiplyAdd(v, w0, a5);
            b5 = TSimd.MultiplyAdd(v, w1, b5);
            v = TSimd.Create(x[6]);
            a6 = TSimd.MultiplyAdd(v, w0, a6);
            b6 = TSimd.MultiplyAdd(v, w1, b6);
            v = TSimd.Create(x[7]);
            a7 = TSimd.MultiplyAdd(v, w0, a7);
            b7 = TSimd.MultiplyAdd(v, w1, b7);
            v = TSimd.Create(x[8]);
            a8 = TSimd.MultiplyAdd(v, w0, a8);
            b8 = TSimd.MultiplyAdd(v, w1, b8);
            v = TSimd.Create(x[9]);
            a9 = TSimd.MultiplyAdd(v, w0, a9);
            b9 = TSimd.MultiplyAdd(v, w1, b9);
            v = TSimd.Create(x[10]);
            a10 = TSimd.MultiplyAdd(v, w0, a10);
            b10 = TSimd.MultiplyAdd(v, w1, b10);
            v = TSimd.Create(x[11]);
            a11 = TSimd.MultiplyAdd(v, w0, a11);
            b11 = TSimd.MultiplyAdd(v, w1, b11);

            w0 = TFormat.Odd<V, TSimd>(w, 0);
            w1 = TFormat.Odd<V, TSimd>(w, 1);
            v = TSimd.Create(x[12]);
            a0 = TSimd.MultiplyAdd(v, w0, a0);
            b0 = TSimd.MultiplyAdd(v, w1, b0);
            v = TSimd.Create(x[13]);
            a1 = TSimd.MultiplyAdd(v, w0, a1);
            b1 = TSimd.MultiplyAdd(v, w1, b1);
            v = TSimd.Create(x[14]);
            a2 = TSimd.MultiplyAdd(v, w0, a2);
            b2 = TSimd.MultiplyAdd(v, w1, b2);
            v = TSimd.Create(x[15]);
            a3 = TSimd.MultiplyAdd(v, w0, a3);
            b3 = TSimd.MultiplyAdd(v, w1, b3);
            v = TSimd.Create(x[16]);
            a4 = TSimd.MultiplyAdd(v, w0, a4);
            b4 = TSimd.MultiplyAdd(v, w1, b4);
            v = TSimd.Create(x[17]);
            a5 = TSimd.MultiplyAdd(v, w0, a5);
            b5 = TSimd.MultiplyAdd(v, w1, b5);
            v = TSimd.Create(x[18]);
            a6 = TSimd.MultiplyAdd(v, w0, a6);
            b6 = TSimd.MultiplyAdd(v, w1, b6);
            v = TSimd.Create(x[19]);
            a7 = TSimd.MultiplyAdd(v, w0, a7);
            b7 = TSimd.MultiplyAdd(v, w1, b7);
            v = TSimd.Create(x[20]);
            a8 = TSimd.MultiplyAdd(v, w0, a8);
            b8 = TSimd.MultiplyAdd(v, w1, b8);
            v = TSimd.Create(x[21]);
            a9 = TSimd.MultiplyAdd(v, w0, a9);
            b9 = TSimd.MultiplyAdd(v, w1, b9);
            v = TSimd.Create(x[22]);
            a10 = TSimd.MultiplyAdd(v, w0, a10);
            b10 = TSimd.MultiplyAdd(v, w1, b10);
            v = TSimd.Create(x[23]);
            a11 = TSimd.MultiplyAdd(v, w0, a11);
            b11 = TSimd.MultiplyAdd(v, w1, b11);

            x += 24;
            w += pairBytes;
            ahead += pairBytes;
        }

        TSimd.Store(a0, tile);
        TSimd.Store(b0, tile + lanes);
        TSimd.Store(a1, tile + width);
        TSimd.Store(b1, tile + width + lanes);
        TSimd.Store(a2, tile + 2 * width);
        TSimd.Store(b2, tile + 2 * width + lanes);
        TSimd.Store(a3, tile + 3 * width);
        TSimd.Store(b3, tile + 3 * width + lanes);
        TSimd.Store(a4, tile + 4 * width);
        TSimd.Store(b4, tile + 4 * width + lanes);
        TSimd.Store(a5, tile + 5 * width);
        TSimd.Store(b5, tile + 5 * width + lanes);
        TSimd.Store(a6, tile + 6 * width);
        TSimd.Store(b6, tile + 6 * width + lanes);
        TSimd.Store(a7, tile + 7 * width);
        TSimd.Store(b7, tile + 7 * width + lanes);
        TSimd.Store(a8, tile + 8 * width);
        TSimd.Store(b8, tile + 8 * width + lanes);
        TSimd.Store(a9, tile + 9 * width);
        TSimd.Store(b9, tile + 9 * width + lanes);
        TSimd.Store(a10, tile + 10 * width);
        TSimd.Store(b10, tile + 10 * width + lanes);
        TSimd.Store(a11, tile + 11 * width);
        TSimd.Store(b11, tile + 11 * width + lanes);
    }

    /// <summary>Asks for the weights of a pair, which may be several cache lines.</summary>
    /// <param name="pairBytes">A constant to the compiler. A property in its place was not inlined: a call in the innermost loop, around
    /// which all accumulators went to memory and back.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Read(byte* pair, int pairBytes)
    {
        if (!TFormat.IsFar)
        {
            return;
        }

        Prefetch.Read(pair, pairBytes);
    }

    /// <summary><see cref="Read"/> of weights that only this kernel reads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReadOnce(byte* pair, int pairBytes)
    {
        if (!TFormat.IsFar)
        {
            return;
        }

        Prefetch.ReadOnce(pair, pairBytes);
    }
}
