using System.Runtime.CompilerServices;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <content>Tiles of rows.</content>
internal static unsafe partial class SegmentKernels<V, TSimd, TCodes>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows4(
        float* x, float* w, PanelSegments segments, int firstSegment, int endSegment, float* table, float* sums, float* tile)
    {
        var lanes = TSimd.Lanes;
        var (width, row) = (2 * lanes, segments.Count);
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
            var places = segments.EndOf(segment) - segments.StartOf(segment);
            for (var place = 0; place < places; place++)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var x0 = TSimd.Create(x[0]);
                a0 = TSimd.MultiplyAdd(x0, u, a0);
                b0 = TSimd.MultiplyAdd(x0, v, b0);
                var x1 = TSimd.Create(x[1]);
                a1 = TSimd.MultiplyAdd(x1, u, a1);
                b1 = TSimd.MultiplyAdd(x1, v, b1);
                var x2 = TSimd.Create(x[2]);
                a2 = TSimd.MultiplyAdd(x2, u, a2);
                b2 = TSimd.MultiplyAdd(x2, v, b2);
                var x3 = TSimd.Create(x[3]);
                a3 = TSimd.MultiplyAdd(x3, u, a3);
                b3 = TSimd.MultiplyAdd(x3, v, b3);
                x += 4;
                w += width;
            }

            Add(a0, b0, sums[segment], table, tile);
            Add(a1, b1, sums[segment + row], table, tile + width);
            Add(a2, b2, sums[segment + 2 * row], table, tile + 2 * width);
            Add(a3, b3, sums[segment + 3 * row], table, tile + 3 * width);
            table += TableVectors * lanes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows6(
        float* x, float* w, PanelSegments segments, int firstSegment, int endSegment, float* table, float* sums, float* tile)
    {
        var lanes = TSimd.Lanes;
        var (width, row) = (2 * lanes, segments.Count);
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0, a4 = a0, b4 = a0, a5 = a0, b5 = a0;
            var places = segments.EndOf(segment) - segments.StartOf(segment);
            for (var place = 0; place < places; place++)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var x0 = TSimd.Create(x[0]);
                a0 = TSimd.MultiplyAdd(x0, u, a0);
                b0 = TSimd.MultiplyAdd(x0, v, b0);
                var x1 = TSimd.Create(x[1]);
                a1 = TSimd.MultiplyAdd(x1, u, a1);
                b1 = TSimd.MultiplyAdd(x1, v, b1);
                var x2 = TSimd.Create(x[2]);
                a2 = TSimd.MultiplyAdd(x2, u, a2);
                b2 = TSimd.MultiplyAdd(x2, v, b2);
                var x3 = TSimd.Create(x[3]);
                a3 = TSimd.MultiplyAdd(x3, u, a3);
                b3 = TSimd.MultiplyAdd(x3, v, b3);
                var x4 = TSimd.Create(x[4]);
                a4 = TSimd.MultiplyAdd(x4, u, a4);
                b4 = TSimd.MultiplyAdd(x4, v, b4);
                var x5 = TSimd.Create(x[5]);
                a5 = TSimd.MultiplyAdd(x5, u, a5);
                b5 = TSimd.MultiplyAdd(x5, v, b5);
                x += 6;
                w += width;
            }

            Add(a0, b0, sums[segment], table, tile);
            Add(a1, b1, sums[segment + row], table, tile + width);
            Add(a2, b2, sums[segment + 2 * row], table, tile + 2 * width);
            Add(a3, b3, sums[segment + 3 * row], table, tile + 3 * width);
            Add(a4, b4, sums[segment + 4 * row], table, tile + 4 * width);
            Add(a5, b5, sums[segment + 5 * row], table, tile + 5 * width);
            table += TableVectors * lanes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows8(
        float* x, float* w, PanelSegments segments, int firstSegment, int endSegment, float* table, float* sums, float* tile)
    {
        var lanes = TSimd.Lanes;
        var (width, row) = (2 * lanes, segments.Count);
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0, a4 = a0, b4 = a0, a5 = a0,
                b5 = a0, a6 = a0, b6 = a0, a7 = a0, b7 = a0;
            var places = segments.EndOf(segment) - segments.StartOf(segment);
            for (var place = 0; place < places; place++)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var x0 = TSimd.Create(x[0]);
                a0 = TSimd.MultiplyAdd(x0, u, a0);
                b0 = TSimd.MultiplyAdd(x0, v, b0);
                var x1 = TSimd.Create(x[1]);
                a1 = TSimd.MultiplyAdd(x1, u, a1);
                b1 = TSimd.MultiplyAdd(x1, v, b1);
                var x2 = TSimd.Create(x[2]);
                a2 = TSimd.MultiplyAdd(x2, u, a2);
                b2 = TSimd.MultiplyAdd(x2, v, b2);
                var x3 = TSimd.Create(x[3]);
                a3 = TSimd.MultiplyAdd(x3, u, a3);
                b3 = TSimd.MultiplyAdd(x3, v, b3);
                var x4 = TSimd.Create(x[4]);
                a4 = TSimd.MultiplyAdd(x4, u, a4);
                b4 = TSimd.MultiplyAdd(x4, v, b4);
                var x5 = TSimd.Create(x[5]);
                a5 = TSimd.MultiplyAdd(x5, u, a5);
                b5 = TSimd.MultiplyAdd(x5, v, b5);
                var x6 = TSimd.Create(x[6]);
                a6 = TSimd.MultiplyAdd(x6, u, a6);
                b6 = TSimd.MultiplyAdd(x6, v, b6);
                var x7 = TSimd.Create(x[7]);
                a7 = TSimd.MultiplyAdd(x7, u, a7);
                b7 = TSimd.MultiplyAdd(x7, v, b7);
                x += 8;
                w += width;
            }

            Add(a0, b0, sums[segment], table, tile);
            Add(a1, b1, sums[segment + row], table, tile + width);
            Add(a2, b2, sums[segment + 2 * row], table, tile + 2 * width);
            Add(a3, b3, sums[segment + 3 * row], table, tile + 3 * width);
            Add(a4, b4, sums[segment + 4 * row], table, tile + 4 * width);
            Add(a5, b5, sums[segment + 5 * row], table, tile + 5 * width);
            Add(a6, b6, sums[segment + 6 * row], table, tile + 6 * width);
            Add(a7, b7, sums[segment + 7 * row], table, tile + 7 * width);
            table += TableVectors * lanes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows12(
        float* x, float* w, PanelSegments segments, int firstSegment, int endSegment, float* table, float* sums, float* tile)
    {
        var lanes = TSimd.Lanes;
        var (width, row) = (2 * lanes, segments.Count);
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0, a4 = a0, b4 = a0, a5 = a0,
                b5 = a0, a6 = a0, b6 = a0, a7 = a0, b7 = a0, a8 = a0, b8 = a0, a9 = a0, b9 = a0, a10 = a0, b10 = a0, a11 = a0,
                b11 = a0;
            var places = segments.EndOf(segment) - segments.StartOf(segment);
            for (var place = 0; place < places; place++)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var x0 = TSimd.Create(x[0]);
                a0 = TSimd.MultiplyAdd(x0, u, a0);
                b0 = TSimd.MultiplyAdd(x0, v, b0);
                var x1 = TSimd.Create(x[1]);
                a1 = TSimd.MultiplyAdd(x1, u, a1);
                b1 = TSimd.MultiplyAdd(x1, v, b1);
                var x2 = TSimd.Create(x[2]);
                a2 = TSimd.MultiplyAdd(x2, u, a2);
                b2 = TSimd.MultiplyAdd(x2, v, b2);
                var x3 = TSimd.Create(x[3]);
                a3 = TSimd.MultiplyAdd(x3, u, a3);
                b3 = TSimd.MultiplyAdd(x3, v, b3);
                var x4 = TSimd.Create(x[4]);
                a4 = TSimd.MultiplyAdd(x4, u, a4);
                b4 = TSimd.MultiplyAdd(x4, v, b4);
                var x5 = TSimd.Create(x[5]);
                a5 = TSimd.MultiplyAdd(x5, u, a5);
                b5 = TSimd.MultiplyAdd(x5, v, b5);
                var x6 = TSimd.Create(x[6]);
                a6 = TSimd.MultiplyAdd(x6, u, a6);
                b6 = TSimd.MultiplyAdd(x6, v, b6);
                var x7 = TSimd.Create(x[7]);
                a7 = TSimd.MultiplyAdd(x7, u, a7);
                b7 = TSimd.MultiplyAdd(x7, v, b7);
                var x8 = TSimd.Create(x[8]);
                a8 = TSimd.MultiplyAdd(x8, u, a8);
                b8 = TSimd.MultiplyAdd(x8, v, b8);
                var x9 = TSimd.Create(x[9]);
                a9 = TSimd.MultiplyAdd(x9, u, a9);
                b9 = TSimd.MultiplyAdd(x9, v, b9);
                var x10 = TSimd.Create(x[10]);
                a10 = TSimd.MultiplyAdd(x10, u, a10);
                b10 = TSimd.MultiplyAdd(x10, v, b10);
                var x11 = TSimd.Create(x[11]);
                a11 = TSimd.MultiplyAdd(x11, u, a11);
                b11 = TSimd.MultiplyAdd(x11, v, b11);
                x += 12;
                w += width;
            }

            Add(a0, b0, sums[segment], table, tile);
            Add(a1, b1, sums[segment + row], table, tile + width);
            Add(a2, b2, sums[segment + 2 * row], table, tile + 2 * width);
            Add(a3, b3, sums[segment + 3 * row], table, tile + 3 * width);
            Add(a4, b4, sums[segment + 4 * row], table, tile + 4 * width);
            Add(a5, b5, sums[segment + 5 * row], table, tile + 5 * width);
            Add(a6, b6, sums[segment + 6 * row], table, tile + 6 * width);
            Add(a7, b7, sums[segment + 7 * row], table, tile + 7 * width);
            Add(a8, b8, sums[segment + 8 * row], table, tile + 8 * width);
            Add(a9, b9, sums[segment + 9 * row], table, tile + 9 * width);
            Add(a10, b10, sums[segment + 10 * row], table, tile + 10 * width);
            Add(a11, b11, sums[segment + 11 * row], table, tile + 11 * width);
            table += TableVectors * lanes;
        }
    }
}
