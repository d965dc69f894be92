using System.Runtime.CompilerServices;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <content>Tiles of rows; two steps at a time, since a segment has an even number of them.</content>
internal static unsafe partial class SegmentKernels<V, TSimd, TCodes>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows4(
        float* x, float* w, PanelSegments segments, int firstSegment, int endSegment, float* table, float* sums, float* tile)
    {
        var lanes = TSimd.Lanes;
        var (width, row) = (2 * lanes, segments.Count * SumsOfSegment);
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
            var steps = StepsOf(segments.EndOf(segment) - segments.StartOf(segment));
            for (var step = 0; step < steps; step += 2)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var input = TSimd.Create(x[0]);
                a0 = Product(input, u, a0);
                b0 = Product(input, v, b0);
                input = TSimd.Create(x[1]);
                a1 = Product(input, u, a1);
                b1 = Product(input, v, b1);
                input = TSimd.Create(x[2]);
                a2 = Product(input, u, a2);
                b2 = Product(input, v, b2);
                input = TSimd.Create(x[3]);
                a3 = Product(input, u, a3);
                b3 = Product(input, v, b3);

                u = TSimd.Load(w + width);
                v = TSimd.Load(w + width + lanes);
                input = TSimd.Create(x[4]);
                a0 = Product(input, u, a0);
                b0 = Product(input, v, b0);
                input = TSimd.Create(x[5]);
                a1 = Product(input, u, a1);
                b1 = Product(input, v, b1);
                input = TSimd.Create(x[6]);
                a2 = Product(input, u, a2);
                b2 = Product(input, v, b2);
                input = TSimd.Create(x[7]);
                a3 = Product(input, u, a3);
                b3 = Product(input, v, b3);
                x += 2 * 4;
                w += 2 * width;
            }

            Add(a0, b0, sums + segment * SumsOfSegment, table, tile);
            Add(a1, b1, sums + segment * SumsOfSegment + row, table, tile + width);
            Add(a2, b2, sums + segment * SumsOfSegment + 2 * row, table, tile + 2 * width);
            Add(a3, b3, sums + segment * SumsOfSegment + 3 * row, table, tile + 3 * width);
            table += TableVectors * lanes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows6(
        float* x, float* w, PanelSegments segments, int firstSegment, int endSegment, float* table, float* sums, float* tile)
    {
        var lanes = TSimd.Lanes;
        var (width, row) = (2 * lanes, segments.Count * SumsOfSegment);
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0, a4 = a0, b4 = a0, a5 = a0,
                b5 = a0;
            var steps = StepsOf(segments.EndOf(segment) - segments.StartOf(segment));
            for (var step = 0; step < steps; step += 2)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var input = TSimd.Create(x[0]);
                a0 = Product(input, u, a0);
                b0 = Product(input, v, b0);
                input = TSimd.Create(x[1]);
                a1 = Product(input, u, a1);
                b1 = Product(input, v, b1);
                input = TSimd.Create(x[2]);
                a2 = Product(input, u, a2);
                b2 = Product(input, v, b2);
                input = TSimd.Create(x[3]);
                a3 = Product(input, u, a3);
                b3 = Product(input, v, b3);
                input = TSimd.Create(x[4]);
                a4 = Product(input, u, a4);
                b4 = Product(input, v, b4);
                input = TSimd.Create(x[5]);
                a5 = Product(input, u, a5);
                b5 = Product(input, v, b5);

                u = TSimd.Load(w + width);
                v = TSimd.Load(w + width + lanes);
                input = TSimd.Create(x[6]);
                a0 = Product(input, u, a0);
                b0 = Product(input, v, b0);
                input = TSimd.Create(x[7]);
                a1 = Product(input, u, a1);
                b1 = Product(input, v, b1);
                input = TSimd.Create(x[8]);
                a2 = Product(input, u, a2);
                b2 = Product(input, v, b2);
                input = TSimd.Create(x[9]);
                a3 = Product(input, u, a3);
                b3 = Product(input, v, b3);
                input = TSimd.Create(x[10]);
                a4 = Product(input, u, a4);
                b4 = Product(input, v, b4);
                input = TSimd.Create(x[11]);
                a5 = Product(input, u, a5);
                b5 = Product(input, v, b5);
                x += 2 * 6;
                w += 2 * width;
            }

            Add(a0, b0, sums + segment * SumsOfSegment, table, tile);
            Add(a1, b1, sums + segment * SumsOfSegment + row, table, tile + width);
            Add(a2, b2, sums + segment * SumsOfSegment + 2 * row, table, tile + 2 * width);
            Add(a3, b3, sums + segment * SumsOfSegment + 3 * row, table, tile + 3 * width);
            Add(a4, b4, sums + segment * SumsOfSegment + 4 * row, table, tile + 4 * width);
            Add(a5, b5, sums + segment * SumsOfSegment + 5 * row, table, tile + 5 * width);
            table += TableVectors * lanes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows8(
        float* x, float* w, PanelSegments segments, int firstSegment, int endSegment, float* table, float* sums, float* tile)
    {
        var lanes = TSimd.Lanes;
        var (width, row) = (2 * lanes, segments.Count * SumsOfSegment);
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0, a4 = a0, b4 = a0, a5 = a0,
                b5 = a0, a6 = a0, b6 = a0, a7 = a0, b7 = a0;
            var steps = StepsOf(segments.EndOf(segment) - segments.StartOf(segment));
            for (var step = 0; step < steps; step += 2)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var input = TSimd.Create(x[0]);
                a0 = Product(input, u, a0);
                b0 = Product(input, v, b0);
                input = TSimd.Create(x[1]);
                a1 = Product(input, u, a1);
                b1 = Product(input, v, b1);
                input = TSimd.Create(x[2]);
                a2 = Product(input, u, a2);
                b2 = Product(input, v, b2);
                input = TSimd.Create(x[3]);
                a3 = Product(input, u, a3);
                b3 = Product(input, v, b3);
                input = TSimd.Create(x[4]);
                a4 = Product(input, u, a4);
                b4 = Product(input, v, b4);
                input = TSimd.Create(x[5]);
                a5 = Product(input, u, a5);
                b5 = Product(input, v, b5);
                input = TSimd.Create(x[6]);
                a6 = Product(input, u, a6);
                b6 = Product(input, v, b6);
                input = TSimd.Create(x[7]);
                a7 = Product(input, u, a7);
                b7 = Product(input, v, b7);

                u = TSimd.Load(w + width);
                v = TSimd.Load(w + width + lanes);
                input = TSimd.Create(x[8]);
                a0 = Product(input, u, a0);
                b0 = Product(input, v, b0);
                input = TSimd.Create(x[9]);
                a1 = Product(input, u, a1);
                b1 = Product(input, v, b1);
                input = TSimd.Create(x[10]);
                a2 = Product(input, u, a2);
                b2 = Product(input, v, b2);
                input = TSimd.Create(x[11]);
                a3 = Product(input, u, a3);
                b3 = Product(input, v, b3);
                input = TSimd.Create(x[12]);
                a4 = Product(input, u, a4);
                b4 = Product(input, v, b4);
                input = TSimd.Create(x[13]);
                a5 = Product(input, u, a5);
                b5 = Product(input, v, b5);
                input = TSimd.Create(x[14]);
                a6 = Product(input, u, a6);
                b6 = Product(input, v, b6);
                input = TSimd.Create(x[15]);
                a7 = Product(input, u, a7);
                b7 = Product(input, v, b7);
                x += 2 * 8;
                w += 2 * width;
            }

            Add(a0, b0, sums + segment * SumsOfSegment, table, tile);
            Add(a1, b1, sums + segment * SumsOfSegment + row, table, tile + width);
            Add(a2, b2, sums + segment * SumsOfSegment + 2 * row, table, tile + 2 * width);
            Add(a3, b3, sums + segment * SumsOfSegment + 3 * row, table, tile + 3 * width);
            Add(a4, b4, sums + segment * SumsOfSegment + 4 * row, table, tile + 4 * width);
            Add(a5, b5, sums + segment * SumsOfSegment + 5 * row, table, tile + 5 * width);
            Add(a6, b6, sums + segment * SumsOfSegment + 6 * row, table, tile + 6 * width);
            Add(a7, b7, sums + segment * SumsOfSegment + 7 * row, table, tile + 7 * width);
            table += TableVectors * lanes;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows12(
        float* x, float* w, PanelSegments segments, int firstSegment, int endSegment, float* table, float* sums, float* tile)
    {
        var lanes = TSimd.Lanes;
        var (width, row) = (2 * lanes, segments.Count * SumsOfSegment);
        for (var segment = firstSegment; segment < endSegment; segment++)
        {
            V a0 = TSimd.Create(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0, a4 = a0, b4 = a0, a5 = a0,
                b5 = a0, a6 = a0, b6 = a0, a7 = a0, b7 = a0, a8 = a0, b8 = a0, a9 = a0, b9 = a0, a10 = a0, b10 = a0, a11 = a0,
                b11 = a0;
            var steps = StepsOf(segments.EndOf(segment) - segments.StartOf(segment));
            for (var step = 0; step < steps; step += 2)
            {
                V u = TSimd.Load(w), v = TSimd.Load(w + lanes);
                var input = TSimd.Create(x[0]);
                a0 = Product(input, u, a0);
                b0 = Product(input, v, b0);
                input = TSimd.Create(x[1]);
                a1 = Product(input, u, a1);
                b1 = Product(input, v, b1);
                input = TSimd.Create(x[2]);
                a2 = Product(input, u, a2);
                b2 = Product(input, v, b2);
                input = TSimd.Create(x[3]);
                a3 = Product(input, u, a3);
                b3 = Product(input, v, b3);
                input = TSimd.Create(x[4]);
                a4 = Product(input, u, a4);
                b4 = Product(input, v, b4);
                input = TSimd.Create(x[5]);
                a5 = Product(input, u, a5);
                b5 = Product(input, v, b5);
                input = TSimd.Create(x[6]);
                a6 = Product(input, u, a6);
                b6 = Product(input, v, b6);
                input = TSimd.Create(x[7]);
                a7 = Product(input, u, a7);
                b7 = Product(input, v, b7);
                input = TSimd.Create(x[8]);
                a8 = Product(input, u, a8);
                b8 = Product(input, v, b8);
                input = TSimd.Create(x[9]);
                a9 = Product(input, u, a9);
                b9 = Product(input, v, b9);
                input = TSimd.Create(x[10]);
                a10 = Product(input, u, a10);
                b10 = Product(input, v, b10);
                input = TSimd.Create(x[11]);
                a11 = Product(input, u, a11);
                b11 = Product(input, v, b11);

                u = TSimd.Load(w + width);
                v = TSimd.Load(w + width + lanes);
                input = TSimd.Create(x[12]);
                a0 = Product(input, u, a0);
                b0 = Product(input, v, b0);
                input = TSimd.Create(x[13]);
                a1 = Product(input, u, a1);
                b1 = Product(input, v, b1);
                input = TSimd.Create(x[14]);
                a2 = Product(input, u, a2);
                b2 = Product(input, v, b2);
                input = TSimd.Create(x[15]);
                a3 = Product(input, u, a3);
                b3 = Product(input, v, b3);
                input = TSimd.Create(x[16]);
                a4 = Product(input, u, a4);
                b4 = Product(input, v, b4);
                input = TSimd.Create(x[17]);
                a5 = Product(input, u, a5);
                b5 = Product(input, v, b5);
                input = TSimd.Create(x[18]);
                a6 = Product(input, u, a6);
                b6 = Product(input, v, b6);
                input = TSimd.Create(x[19]);
                a7 = Product(input, u, a7);
                b7 = Product(input, v, b7);
                input = TSimd.Create(x[20]);
                a8 = Product(input, u, a8);
                b8 = Product(input, v, b8);
                input = TSimd.Create(x[21]);
                a9 = Product(input, u, a9);
                b9 = Product(input, v, b9);
                input = TSimd.Create(x[22]);
                a10 = Product(input, u, a10);
                b10 = Product(input, v, b10);
                input = TSimd.Create(x[23]);
                a11 = Product(input, u, a11);
                b11 = Product(input, v, b11);
                x += 2 * 12;
                w += 2 * width;
            }

            Add(a0, b0, sums + segment * SumsOfSegment, table, tile);
            Add(a1, b1, sums + segment * SumsOfSegment + row, table, tile + width);
            Add(a2, b2, sums + segment * SumsOfSegment + 2 * row, table, tile + 2 * width);
            Add(a3, b3, sums + segment * SumsOfSegment + 3 * row, table, tile + 3 * width);
            Add(a4, b4, sums + segment * SumsOfSegment + 4 * row, table, tile + 4 * width);
            Add(a5, b5, sums + segment * SumsOfSegment + 5 * row, table, tile + 5 * width);
            Add(a6, b6, sums + segment * SumsOfSegment + 6 * row, table, tile + 6 * width);
            Add(a7, b7, sums + segment * SumsOfSegment + 7 * row, table, tile + 7 * width);
            Add(a8, b8, sums + segment * SumsOfSegment + 8 * row, table, tile + 8 * width);
            Add(a9, b9, sums + segment * SumsOfSegment + 9 * row, table, tile + 9 * width);
            Add(a10, b10, sums + segment * SumsOfSegment + 10 * row, table, tile + 10 * width);
            Add(a11, b11, sums + segment * SumsOfSegment + 11 * row, table, tile + 11 * width);
            table += TableVectors * lanes;
        }
    }
}
