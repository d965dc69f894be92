using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Sums of weighted values over slots of a stretch. Called by <see cref="AttentionJob{V, TSimd, TCodes}"/>.</summary>
/// <remarks>Versions for one to four queries take the same steps in the same order for each query; they share the loads of values, which
/// become floats in registers, and keep their sums there from tile to tile. Weights of a query are
/// <see cref="AttentionStretch.Slots"/> after those of the query before, outputs <c>valueDim</c>.</remarks>
internal static unsafe class ValueKernels<V, TSimd, TCodes>
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : ICacheCodes<TCodes>
{
    private const int Tile = CpuKvCache.TileSlots;
    private const int Stretch = AttentionStretch.Slots;

    /// <summary>One to four queries over the slots in [from, to).</summary>
    public static void Accumulate(float* weights, int count, int from, int to, in ValueTiles values, int valueDim, float* output)
    {
        var done = count switch
        {
            1 => Accumulate1(weights, from, to, values, valueDim, output),
            2 => Accumulate2(weights, from, to, values, valueDim, output),
            3 => Accumulate3(weights, from, to, values, valueDim, output),
            _ => Accumulate4(weights, from, to, values, valueDim, output),
        };
        for (var query = 0; query < count && done < valueDim; query++)
        {
            AccumulateRest(weights + query * Stretch, from, to, values, valueDim, done, output + (long)query * valueDim);
        }
    }

    /// <summary>output[d] += Σ_slot weights[slot] · values[slot][d], slots ascending. Four vectors at a time.</summary>
    /// <returns>The dimensions done.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Accumulate1(float* weights, int from, int to, in ValueTiles values, int valueDim, float* output)
    {
        var stride = values.Stride;
        var end = weights + to;
        var d = 0;
        for (; d <= valueDim - 4 * TSimd.Lanes; d += 4 * TSimd.Lanes)
        {
            TCodes.LoadSums<V, TSimd>(output + d, output + d + TSimd.Lanes, out var a0, out var b0);
            TCodes.LoadSums<V, TSimd>(output + d + 2 * TSimd.Lanes, output + d + 3 * TSimd.Lanes, out var c0, out var e0);
            var (tile, skipped) = (from / Tile, from % Tile);
            for (var weight = weights + from; weight < end; tile++, skipped = 0)
            {
                var value = values.Tiles[tile] + skipped * stride + d * TCodes.Size;
                var ahead = values.Ahead[tile] - values.Tiles[tile];
                var last = Min(end, weights + (tile + 1) * Tile);
                for (; weight <= last - 4; weight += 4, value += 4 * stride)
                {
                    Prefetch.Read(value + ahead);
                    Step1(value, weight, ref a0, ref b0, ref c0, ref e0);
                    Prefetch.Read(value + stride + ahead);
                    Step1(value + stride, weight + 1, ref a0, ref b0, ref c0, ref e0);
                    Prefetch.Read(value + 2 * stride + ahead);
                    Step1(value + 2 * stride, weight + 2, ref a0, ref b0, ref c0, ref e0);
                    Prefetch.Read(value + 3 * stride + ahead);
                    Step1(value + 3 * stride, weight + 3, ref a0, ref b0, ref c0, ref e0);
                }

                for (; weight < last; weight++, value += stride)
                {
                    Step1(value, weight, ref a0, ref b0, ref c0, ref e0);
                }
            }

            TCodes.StoreSums<V, TSimd>(a0, b0, output + d, output + d + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(c0, e0, output + d + 2 * TSimd.Lanes, output + d + 3 * TSimd.Lanes);
        }

        return d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step1(
        byte* value, float* weight, ref V a0, ref V b0, ref V c0, ref V e0)
    {
        TCodes.LoadPair<V, TSimd>(value, value + TSimd.Lanes * TCodes.Size, out var v, out var w);
        TCodes.LoadPair<V, TSimd>(
            value + 2 * TSimd.Lanes * TCodes.Size, value + 3 * TSimd.Lanes * TCodes.Size, out var x, out var y);
        var p = TSimd.Create(*weight);
        a0 = TSimd.MultiplyAdd(p, v, a0);
        b0 = TSimd.MultiplyAdd(p, w, b0);
        c0 = TSimd.MultiplyAdd(p, x, c0);
        e0 = TSimd.MultiplyAdd(p, y, e0);
    }

    /// <summary><see cref="Accumulate1"/> for two queries.</summary>
    /// <returns>The dimensions done.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Accumulate2(float* weights, int from, int to, in ValueTiles values, int valueDim, float* output)
    {
        var stride = values.Stride;
        var end = weights + to;
        var output1 = output + valueDim;
        var d = 0;
        for (; d <= valueDim - 4 * TSimd.Lanes; d += 4 * TSimd.Lanes)
        {
            TCodes.LoadSums<V, TSimd>(output + d, output + d + TSimd.Lanes, out var a0, out var b0);
            TCodes.LoadSums<V, TSimd>(output + d + 2 * TSimd.Lanes, output + d + 3 * TSimd.Lanes, out var c0, out var e0);
            TCodes.LoadSums<V, TSimd>(output1 + d, output1 + d + TSimd.Lanes, out var a1, out var b1);
            TCodes.LoadSums<V, TSimd>(output1 + d + 2 * TSimd.Lanes, output1 + d + 3 * TSimd.Lanes, out var c1, out var e1);
            var (tile, skipped) = (from / Tile, from % Tile);
            for (var weight = weights + from; weight < end; tile++, skipped = 0)
            {
                var value = values.Tiles[tile] + skipped * stride + d * TCodes.Size;
                var ahead = values.Ahead[tile] - values.Tiles[tile];
                var last = Min(end, weights + (tile + 1) * Tile);
                for (; weight <= last - 4; weight += 4, value += 4 * stride)
                {
                    Prefetch.Read(value + ahead);
                    Step2(value, weight, ref a0, ref b0, ref c0, ref e0, ref a1, ref b1, ref c1, ref e1);
                    Prefetch.Read(value + stride + ahead);
                    Step2(value + stride, weight + 1, ref a0, ref b0, ref c0, ref e0, ref a1, ref b1, ref c1, ref e1);
                    Prefetch.Read(value + 2 * stride + ahead);
                    Step2(value + 2 * stride, weight + 2, ref a0, ref b0, ref c0, ref e0, ref a1, ref b1, ref c1, ref e1);
                    Prefetch.Read(value + 3 * stride + ahead);
                    Step2(value + 3 * stride, weight + 3, ref a0, ref b0, ref c0, ref e0, ref a1, ref b1, ref c1, ref e1);
                }

                for (; weight < last; weight++, value += stride)
                {
                    Step2(value, weight, ref a0, ref b0, ref c0, ref e0, ref a1, ref b1, ref c1, ref e1);
                }
            }

            TCodes.StoreSums<V, TSimd>(a0, b0, output + d, output + d + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(c0, e0, output + d + 2 * TSimd.Lanes, output + d + 3 * TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(a1, b1, output1 + d, output1 + d + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(c1, e1, output1 + d + 2 * TSimd.Lanes, output1 + d + 3 * TSimd.Lanes);
        }

        return d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step2(
        byte* value, float* weight, ref V a0, ref V b0, ref V c0, ref V e0, ref V a1, ref V b1, ref V c1, ref V e1)
    {
        TCodes.LoadPair<V, TSimd>(value, value + TSimd.Lanes * TCodes.Size, out var v, out var w);
        TCodes.LoadPair<V, TSimd>(
            value + 2 * TSimd.Lanes * TCodes.Size, value + 3 * TSimd.Lanes * TCodes.Size, out var x, out var y);
        var p = TSimd.Create(*weight);
        a0 = TSimd.MultiplyAdd(p, v, a0);
        b0 = TSimd.MultiplyAdd(p, w, b0);
        c0 = TSimd.MultiplyAdd(p, x, c0);
        e0 = TSimd.MultiplyAdd(p, y, e0);
        p = TSimd.Create(weight[Stretch]);
        a1 = TSimd.MultiplyAdd(p, v, a1);
        b1 = TSimd.MultiplyAdd(p, w, b1);
        c1 = TSimd.MultiplyAdd(p, x, c1);
        e1 = TSimd.MultiplyAdd(p, y, e1);
    }

    /// <summary><see cref="Accumulate1"/> for three queries, two vectors at a time.</summary>
    /// <returns>The dimensions done.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Accumulate3(float* weights, int from, int to, in ValueTiles values, int valueDim, float* output)
    {
        var stride = values.Stride;
        var end = weights + to;
        float* output1 = output + valueDim, output2 = output1 + valueDim;
        var d = 0;
        for (; d <= valueDim - 2 * TSimd.Lanes; d += 2 * TSimd.Lanes)
        {
            TCodes.LoadSums<V, TSimd>(output + d, output + d + TSimd.Lanes, out var a0, out var b0);
            TCodes.LoadSums<V, TSimd>(output1 + d, output1 + d + TSimd.Lanes, out var a1, out var b1);
            TCodes.LoadSums<V, TSimd>(output2 + d, output2 + d + TSimd.Lanes, out var a2, out var b2);
            var (tile, skipped) = (from / Tile, from % Tile);
            for (var weight = weights + from; weight < end; tile++, skipped = 0)
            {
                var value = values.Tiles[tile] + skipped * stride + d * TCodes.Size;
                var ahead = values.Ahead[tile] - values.Tiles[tile];
                var last = Min(end, weights + (tile + 1) * Tile);
                for (; weight <= last - 4; weight += 4, value += 4 * stride)
                {
                    Prefetch.Read(value + ahead);
                    Step3(value, weight, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2);
                    Prefetch.Read(value + stride + ahead);
                    Step3(value + stride, weight + 1, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2);
                    Prefetch.Read(value + 2 * stride + ahead);
                    Step3(value + 2 * stride, weight + 2, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2);
                    Prefetch.Read(value + 3 * stride + ahead);
                    Step3(value + 3 * stride, weight + 3, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2);
                }

                for (; weight < last; weight++, value += stride)
                {
                    Step3(value, weight, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2);
                }
            }

            TCodes.StoreSums<V, TSimd>(a0, b0, output + d, output + d + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(a1, b1, output1 + d, output1 + d + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(a2, b2, output2 + d, output2 + d + TSimd.Lanes);
        }

        return d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step3(
        byte* value, float* weight, ref V a0, ref V b0, ref V a1, ref V b1, ref V a2, ref V b2)
    {
        TCodes.LoadPair<V, TSimd>(value, value + TSimd.Lanes * TCodes.Size, out var v, out var w);
        var p = TSimd.Create(*weight);
        a0 = TSimd.MultiplyAdd(p, v, a0);
        b0 = TSimd.MultiplyAdd(p, w, b0);
        p = TSimd.Create(weight[Stretch]);
        a1 = TSimd.MultiplyAdd(p, v, a1);
        b1 = TSimd.MultiplyAdd(p, w, b1);
        p = TSimd.Create(weight[2 * Stretch]);
        a2 = TSimd.MultiplyAdd(p, v, a2);
        b2 = TSimd.MultiplyAdd(p, w, b2);
    }

    /// <summary><see cref="Accumulate3"/> for four queries.</summary>
    /// <returns>The dimensions done.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Accumulate4(float* weights, int from, int to, in ValueTiles values, int valueDim, float* output)
    {
        var stride = values.Stride;
        var end = weights + to;
        float* output1 = output + valueDim, output2 = output1 + valueDim, output3 = output2 + valueDim;
        var d = 0;
        for (; d <= valueDim - 2 * TSimd.Lanes; d += 2 * TSimd.Lanes)
        {
            TCodes.LoadSums<V, TSimd>(output + d, output + d + TSimd.Lanes, out var a0, out var b0);
            TCodes.LoadSums<V, TSimd>(output1 + d, output1 + d + TSimd.Lanes, out var a1, out var b1);
            TCodes.LoadSums<V, TSimd>(output2 + d, output2 + d + TSimd.Lanes, out var a2, out var b2);
            TCodes.LoadSums<V, TSimd>(output3 + d, output3 + d + TSimd.Lanes, out var a3, out var b3);
            var (tile, skipped) = (from / Tile, from % Tile);
            for (var weight = weights + from; weight < end; tile++, skipped = 0)
            {
                var value = values.Tiles[tile] + skipped * stride + d * TCodes.Size;
                var ahead = values.Ahead[tile] - values.Tiles[tile];
                var last = Min(end, weights + (tile + 1) * Tile);
                for (; weight <= last - 4; weight += 4, value += 4 * stride)
                {
                    Prefetch.Read(value + ahead);
                    Step4(value, weight, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2, ref a3, ref b3);
                    Prefetch.Read(value + stride + ahead);
                    Step4(value + stride, weight + 1, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2, ref a3, ref b3);
                    Prefetch.Read(value + 2 * stride + ahead);
                    Step4(value + 2 * stride, weight + 2, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2, ref a3, ref b3);
                    Prefetch.Read(value + 3 * stride + ahead);
                    Step4(value + 3 * stride, weight + 3, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2, ref a3, ref b3);
                }

                for (; weight < last; weight++, value += stride)
                {
                    Step4(value, weight, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2, ref a3, ref b3);
                }
            }

            TCodes.StoreSums<V, TSimd>(a0, b0, output + d, output + d + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(a1, b1, output1 + d, output1 + d + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(a2, b2, output2 + d, output2 + d + TSimd.Lanes);
            TCodes.StoreSums<V, TSimd>(a3, b3, output3 + d, output3 + d + TSimd.Lanes);
        }

        return d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step4(
        byte* value, float* weight, ref V a0, ref V b0, ref V a1, ref V b1, ref V a2, ref V b2, ref V a3, ref V b3)
    {
        TCodes.LoadPair<V, TSimd>(value, value + TSimd.Lanes * TCodes.Size, out var v, out var w);
        var p = TSimd.Create(*weight);
        a0 = TSimd.MultiplyAdd(p, v, a0);
        b0 = TSimd.MultiplyAdd(p, w, b0);
        p = TSimd.Create(weight[Stretch]);
        a1 = TSimd.MultiplyAdd(p, v, a1);
        b1 = TSimd.MultiplyAdd(p, w, b1);
        p = TSimd.Create(weight[2 * Stretch]);
        a2 = TSimd.MultiplyAdd(p, v, a2);
        b2 = TSimd.MultiplyAdd(p, w, b2);
        p = TSimd.Create(weight[3 * Stretch]);
        a3 = TSimd.MultiplyAdd(p, v, a3);
        b3 = TSimd.MultiplyAdd(p, w, b3);
    }

    /// <summary><see cref="Accumulate1"/> for the dimensions from <paramref name="d"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AccumulateRest(float* weights, int from, int to, in ValueTiles values, int valueDim, int d, float* output)
    {
        for (; d <= valueDim - TSimd.Lanes; d += TSimd.Lanes)
        {
            var sum = TSimd.Load(output + d);
            for (var slot = from; slot < to; slot++)
            {
                var value = values.At(slot, out _) + d * TCodes.Size;
                sum = TSimd.MultiplyAdd(TSimd.Create(weights[slot]), TCodes.Load<V, TSimd>(value), sum);
            }

            TSimd.Store(sum, output + d);
        }

        // One at a time, with the very steps of a lane.
        for (; d < valueDim; d++)
        {
            var sum = output[d];
            for (var slot = from; slot < to; slot++)
            {
                var value = TCodes.Load<float, SimdScalar>(values.At(slot, out _) + d * TCodes.Size);
                sum = MathF.FusedMultiplyAdd(weights[slot], value, sum);
            }

            output[d] = sum;
        }
    }

    private static float* Min(float* a, float* b) => a < b ? a : b;
}
