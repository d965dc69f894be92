using System.Runtime.CompilerServices;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <content>Tiles of rows; two inputs at a time, since a segment has an even number of places.</content>
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
            for (var place = 0; place < places; place += 2)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var input = TSimd.Create(x[0]);
                a0 = TSimd.MultiplyAdd(input, u, a0);
                b0 = TSimd.MultiplyAdd(input, v, b0);
                input = TSimd.Create(x[1]);
                a1 = TSimd.MultiplyAdd(input, u, a1);
                b1 = TSimd.MultiplyAdd(input, v, b1);
                input = TSimd.Create(x[2]);
                a2 = TSimd.MultiplyAdd(input, u, a2);
                b2 = TSimd.MultiplyAdd(input, v, b2);
                input = TSimd.Create(x[3]);
                a3 = TSimd.MultiplyAdd(input, u, a3);
                b3 = TSimd.MultiplyAdd(input, v, b3);

                u = TSimd.Load(w + width);
                v = TSimd.Load(w + width + lanes);
                input = TSimd.Create(x[4]);
                a0 = TSimd.MultiplyAdd(input, u, a0);
                b0 = TSimd.MultiplyAdd(input, v, b0);
                input = TSimd.Create(x[5]);
                a1 = TSimd.MultiplyAdd(input, u, a1);
                b1 = TSimd.MultiplyAdd(input, v, b1);
                input = TSimd.Create(x[6]);
                a2 = TSimd.MultiplyAdd(input, u, a2);
                b2 = TSimd.MultiplyAdd(input, v, b2);
                input = TSimd.Create(x[7]);
                a3 = TSimd.MultiplyAdd(input, u, a3);
                b3 = TSimd.MultiplyAdd(input, v, b3);
                x += 2 * 4;
                w += 2 * width;
            }

            Add(a0, b0, sums + segment, table, tile);
            Add(a1, b1, sums + segment + row, table, tile + width);
            Add(a2, b2, sums + segment + 2 * row, table, tile + 2 * width);
            Add(a3, b3, sums + segment + 3 * row, table, tile + 3 * width);
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
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0, a4 = a0, b4 = a0, a5 = a0,
                b5 = a0;
            var places = segments.EndOf(segment) - segments.StartOf(segment);
            for (var place = 0; place < places; place += 2)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var input = TSimd.Create(x[0]);
                a0 = TSimd.MultiplyAdd(input, u, a0);
                b0 = TSimd.MultiplyAdd(input, v, b0);
                input = TSimd.Create(x[1]);
                a1 = TSimd.MultiplyAdd(input, u, a1);
                b1 = TSimd.MultiplyAdd(input, v, b1);
                input = TSimd.Create(x[2]);
                a2 = TSimd.MultiplyAdd(input, u, a2);
                b2 = TSimd.MultiplyAdd(input, v, b2);
                input = TSimd.Create(x[3]);
                a3 = TSimd.MultiplyAdd(input, u, a3);
                b3 = TSimd.MultiplyAdd(input, v, b3);
                input = TSimd.Create(x[4]);
                a4 = TSimd.MultiplyAdd(input, u, a4);
                b4 = TSimd.MultiplyAdd(input, v, b4);
                input = TSimd.Create(x[5]);
                a5 = TSimd.MultiplyAdd(input, u, a5);
                b5 = TSimd.MultiplyAdd(input, v, b5);

                u = TSimd.Load(w + width);
                v = TSimd.Load(w + width + lanes);
                input = TSimd.Create(x[6]);
                a0 = TSimd.MultiplyAdd(input, u, a0);
                b0 = TSimd.MultiplyAdd(input, v, b0);
                input = TSimd.Create(x[7]);
                a1 = TSimd.MultiplyAdd(input, u, a1);
                b1 = TSimd.MultiplyAdd(input, v, b1);
                input = TSimd.Create(x[8]);
                a2 = TSimd.MultiplyAdd(input, u, a2);
                b2 = TSimd.MultiplyAdd(input, v, b2);
                input = TSimd.Create(x[9]);
                a3 = TSimd.MultiplyAdd(input, u, a3);
                b3 = TSimd.MultiplyAdd(input, v, b3);
                input = TSimd.Create(x[10]);
                a4 = TSimd.MultiplyAdd(input, u, a4);
                b4 = TSimd.MultiplyAdd(input, v, b4);
                input = TSimd.Create(x[11]);
                a5 = TSimd.MultiplyAdd(input, u, a5);
                b5 = TSimd.MultiplyAdd(input, v, b5);
                x += 2 * 6;
                w += 2 * width;
            }

            Add(a0, b0, sums + segment, table, tile);
            Add(a1, b1, sums + segment + row, table, tile + width);
            Add(a2, b2, sums + segment + 2 * row, table, tile + 2 * width);
            Add(a3, b3, sums + segment + 3 * row, table, tile + 3 * width);
            Add(a4, b4, sums + segment + 4 * row, table, tile + 4 * width);
            Add(a5, b5, sums + segment + 5 * row, table, tile + 5 * width);
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
            for (var place = 0; place < places; place += 2)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var input = TSimd.Create(x[0]);
                a0 = TSimd.MultiplyAdd(input, u, a0);
                b0 = TSimd.MultiplyAdd(input, v, b0);
                input = TSimd.Create(x[1]);
                a1 = TSimd.MultiplyAdd(input, u, a1);
                b1 = TSimd.MultiplyAdd(input, v, b1);
                input = TSimd.Create(x[2]);
                a2 = TSimd.MultiplyAdd(input, u, a2);
                b2 = TSimd.MultiplyAdd(input, v, b2);
                input = TSimd.Create(x[3]);
                a3 = TSimd.MultiplyAdd(input, u, a3);
                b3 = TSimd.MultiplyAdd(input, v, b3);
                input = TSimd.Create(x[4]);
                a4 = TSimd.MultiplyAdd(input, u, a4);
                b4 = TSimd.MultiplyAdd(input, v, b4);
                input = TSimd.Create(x[5]);
                a5 = TSimd.MultiplyAdd(input, u, a5);
                b5 = TSimd.MultiplyAdd(input, v, b5);
                input = TSimd.Create(x[6]);
                a6 = TSimd.MultiplyAdd(input, u, a6);
                b6 = TSimd.MultiplyAdd(input, v, b6);
                input = TSimd.Create(x[7]);
                a7 = TSimd.MultiplyAdd(input, u, a7);
                b7 = TSimd.MultiplyAdd(input, v, b7);

                u = TSimd.Load(w + width);
                v = TSimd.Load(w + width + lanes);
                input = TSimd.Create(x[8]);
                a0 = TSimd.MultiplyAdd(input, u, a0);
                b0 = TSimd.MultiplyAdd(input, v, b0);
                input = TSimd.Create(x[9]);
                a1 = TSimd.MultiplyAdd(input, u, a1);
                b1 = TSimd.MultiplyAdd(input, v, b1);
                input = TSimd.Create(x[10]);
                a2 = TSimd.MultiplyAdd(input, u, a2);
                b2 = TSimd.MultiplyAdd(input, v, b2);
                input = TSimd.Create(x[11]);
                a3 = TSimd.MultiplyAdd(input, u, a3);
                b3 = TSimd.MultiplyAdd(input, v, b3);
                input = TSimd.Create(x[12]);
                a4 = TSimd.MultiplyAdd(input, u, a4);
                b4 = TSimd.MultiplyAdd(input, v, b4);
                input = TSimd.Create(x[13]);
                a5 = TSimd.MultiplyAdd(input, u, a5);
                b5 = TSimd.MultiplyAdd(input, v, b5);
                input = TSimd.Create(x[14]);
                a6 = TSimd.MultiplyAdd(input, u, a6);
                b6 = TSimd.MultiplyAdd(input, v, b6);
                input = TSimd.Create(x[15]);
                a7 = TSimd.MultiplyAdd(input, u, a7);
                b7 = TSimd.MultiplyAdd(input, v, b7);
                x += 2 * 8;
                w += 2 * width;
            }

            Add(a0, b0, sums + segment, table, tile);
            Add(a1, b1, sums + segment + row, table, tile + width);
            Add(a2, b2, sums + segment + 2 * row, table, tile + 2 * width);
            Add(a3, b3, sums + segment + 3 * row, table, tile + 3 * width);
            Add(a4, b4, sums + segment + 4 * row, table, tile + 4 * width);
            Add(a5, b5, sums + segment + 5 * row, table, tile + 5 * width);
            Add(a6, b6, sums + segment + 6 * row, table, tile + 6 * width);
            Add(a7, b7, sums + segment + 7 * row, table, tile + 7 * width);
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
            for (var place = 0; place < places; place += 2)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var input = TSimd.Create(x[0]);
                a0 = TSimd.MultiplyAdd(input, u, a0);
                b0 = TSimd.MultiplyAdd(input, v, b0);
                input = TSimd.Create(x[1]);
                a1 = TSimd.MultiplyAdd(input, u, a1);
                b1 = TSimd.MultiplyAdd(input, v, b1);
                input = TSimd.Create(x[2]);
                a2 = TSimd.MultiplyAdd(input, u, a2);
                b2 = TSimd.MultiplyAdd(input, v, b2);
                input = TSimd.Create(x[3]);
                a3 = TSimd.MultiplyAdd(input, u, a3);
                b3 = TSimd.MultiplyAdd(input, v, b3);
                input = TSimd.Create(x[4]);
                a4 = TSimd.MultiplyAdd(input, u, a4);
                b4 = TSimd.MultiplyAdd(input, v, b4);
                input = TSimd.Create(x[5]);
                a5 = TSimd.MultiplyAdd(input, u, a5);
                b5 = TSimd.MultiplyAdd(input, v, b5);
                input = TSimd.Create(x[6]);
                a6 = TSimd.MultiplyAdd(input, u, a6);
                b6 = TSimd.MultiplyAdd(input, v, b6);
                input = TSimd.Create(x[7]);
                a7 = TSimd.MultiplyAdd(input, u, a7);
                b7 = TSimd.MultiplyAdd(input, v, b7);
                input = TSimd.Create(x[8]);
                a8 = TSimd.MultiplyAdd(input, u, a8);
                b8 = TSimd.MultiplyAdd(input, v, b8);
                input = TSimd.Create(x[9]);
                a9 = TSimd.MultiplyAdd(input, u, a9);
                b9 = TSimd.MultiplyAdd(input, v, b9);
                input = TSimd.Create(x[10]);
                a10 = TSimd.MultiplyAdd(input, u, a10);
                b10 = TSimd.MultiplyAdd(input, v, b10);
                input = TSimd.Create(x[11]);
                a11 = TSimd.MultiplyAdd(input, u, a11);
                b11 = TSimd.MultiplyAdd(input, v, b11);

                u = TSimd.Load(w + width);
                v = TSimd.Load(w + width + lanes);
                input = TSimd.Create(x[12]);
                a0 = TSimd.MultiplyAdd(input, u, a0);
                b0 = TSimd.MultiplyAdd(input, v, b0);
                input = TSimd.Create(x[13]);
                a1 = TSimd.MultiplyAdd(input, u, a1);
                b1 = TSimd.MultiplyAdd(input, v, b1);
                input = TSimd.Create(x[14]);
                a2 = TSimd.MultiplyAdd(input, u, a2);
                b2 = TSimd.MultiplyAdd(input, v, b2);
                input = TSimd.Create(x[15]);
                a3 = TSimd.MultiplyAdd(input, u, a3);
                b3 = TSimd.MultiplyAdd(input, v, b3);
                input = TSimd.Create(x[16]);
                a4 = TSimd.MultiplyAdd(input, u, a4);
                b4 = TSimd.MultiplyAdd(input, v, b4);
                input = TSimd.Create(x[17]);
                a5 = TSimd.MultiplyAdd(input, u, a5);
                b5 = TSimd.MultiplyAdd(input, v, b5);
                input = TSimd.Create(x[18]);
                a6 = TSimd.MultiplyAdd(input, u, a6);
                b6 = TSimd.MultiplyAdd(input, v, b6);
                input = TSimd.Create(x[19]);
                a7 = TSimd.MultiplyAdd(input, u, a7);
                b7 = TSimd.MultiplyAdd(input, v, b7);
                input = TSimd.Create(x[20]);
                a8 = TSimd.MultiplyAdd(input, u, a8);
                b8 = TSimd.MultiplyAdd(input, v, b8);
                input = TSimd.Create(x[21]);
                a9 = TSimd.MultiplyAdd(input, u, a9);
                b9 = TSimd.MultiplyAdd(input, v, b9);
                input = TSimd.Create(x[22]);
                a10 = TSimd.MultiplyAdd(input, u, a10);
                b10 = TSimd.MultiplyAdd(input, v, b10);
                input = TSimd.Create(x[23]);
                a11 = TSimd.MultiplyAdd(input, u, a11);
                b11 = TSimd.MultiplyAdd(input, v, b11);
                x += 2 * 12;
                w += 2 * width;
            }

            Add(a0, b0, sums + segment, table, tile);
            Add(a1, b1, sums + segment + row, table, tile + width);
            Add(a2, b2, sums + segment + 2 * row, table, tile + 2 * width);
            Add(a3, b3, sums + segment + 3 * row, table, tile + 3 * width);
            Add(a4, b4, sums + segment + 4 * row, table, tile + 4 * width);
            Add(a5, b5, sums + segment + 5 * row, table, tile + 5 * width);
            Add(a6, b6, sums + segment + 6 * row, table, tile + 6 * width);
            Add(a7, b7, sums + segment + 7 * row, table, tile + 7 * width);
            Add(a8, b8, sums + segment + 8 * row, table, tile + 8 * width);
            Add(a9, b9, sums + segment + 9 * row, table, tile + 9 * width);
            Add(a10, b10, sums + segment + 10 * row, table, tile + 10 * width);
            Add(a11, b11, sums + segment + 11 * row, table, tile + 11 * width);
            table += TableVectors * lanes;
        }
    }
}
