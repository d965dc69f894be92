using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <content>Kernels for one, two and four rows.</content>
internal static unsafe partial class IntegerKernels<V, TSimd, TDots>
{
    /// <summary>One row, all of its inputs, and two panels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows1(int* x, uint* w, uint* nextW, int quads, float* tile, float* nextTile)
    {
        var lanes = TSimd.Lanes;
        V a = TSimd.Create(0), b = a, c = a, d = a;
        var ahead = (long)PrefetchWords;
        var (turn, skip) = (Math.Max(0, quads - PrefetchWords / (2 * lanes)), nextW - w);
        for (var quad = 0; quad < quads; quad++)
        {
            ahead += quad == turn ? skip : 0;
            Prefetch.ReadOnce((byte*)(w + ahead), 2 * sizeof(uint) * lanes);
            Prefetch.ReadOnce((byte*)(nextW + ahead), 2 * sizeof(uint) * lanes);

            V w0 = TSimd.Load((float*)w), w1 = TSimd.Load((float*)w + lanes);
            V w2 = TSimd.Load((float*)nextW), w3 = TSimd.Load((float*)nextW + lanes);
            a = TDots.Add<V, TSimd>(TDots.First<V, TSimd>(w0), x[0], a);
            b = TDots.Add<V, TSimd>(TDots.First<V, TSimd>(w1), x[0], b);
            c = TDots.Add<V, TSimd>(TDots.First<V, TSimd>(w2), x[0], c);
            d = TDots.Add<V, TSimd>(TDots.First<V, TSimd>(w3), x[0], d);
            if (TDots.Steps == 2)
            {
                a = TDots.Add<V, TSimd>(TDots.Second<V, TSimd>(w0), x[1], a);
                b = TDots.Add<V, TSimd>(TDots.Second<V, TSimd>(w1), x[1], b);
                c = TDots.Add<V, TSimd>(TDots.Second<V, TSimd>(w2), x[1], c);
                d = TDots.Add<V, TSimd>(TDots.Second<V, TSimd>(w3), x[1], d);
            }

            x += TDots.Steps;
            w += 2 * lanes;
            nextW += 2 * lanes;
        }

        TSimd.Store(a, tile);
        TSimd.Store(b, tile + lanes);
        TSimd.Store(c, nextTile);
        TSimd.Store(d, nextTile + lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows2(int* x, uint* w, uint* ahead, int quads, bool continues, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        V a0 = Start(continues, tile), b0 = Start(continues, tile + lanes);
        V a1 = Start(continues, tile + width), b1 = Start(continues, tile + width + lanes);
        for (var quad = 0; quad < quads; quad++)
        {
            Prefetch.Read((byte*)ahead, sizeof(uint) * width);
            V w0 = TSimd.Load((float*)w), w1 = TSimd.Load((float*)w + lanes);
            V u = TDots.First<V, TSimd>(w0), v = TDots.First<V, TSimd>(w1);
            a0 = TDots.Add<V, TSimd>(u, x[0], a0);
            b0 = TDots.Add<V, TSimd>(v, x[0], b0);
            a1 = TDots.Add<V, TSimd>(u, x[1], a1);
            b1 = TDots.Add<V, TSimd>(v, x[1], b1);
            if (TDots.Steps == 2)
            {
                u = TDots.Second<V, TSimd>(w0);
                v = TDots.Second<V, TSimd>(w1);
                a0 = TDots.Add<V, TSimd>(u, x[2], a0);
                b0 = TDots.Add<V, TSimd>(v, x[2], b0);
                a1 = TDots.Add<V, TSimd>(u, x[3], a1);
                b1 = TDots.Add<V, TSimd>(v, x[3], b1);
            }

            x += TDots.Steps * 2;
            w += width;
            ahead += width;
        }

        TSimd.Store(a0, tile);
        TSimd.Store(b0, tile + lanes);
        TSimd.Store(a1, tile + width);
        TSimd.Store(b1, tile + width + lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows4(int* x, uint* w, uint* ahead, int quads, bool continues, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        V a0 = Start(continues, tile), b0 = Start(continues, tile + lanes);
        V a1 = Start(continues, tile + width), b1 = Start(continues, tile + width + lanes);
        V a2 = Start(continues, tile + 2 * width), b2 = Start(continues, tile + 2 * width + lanes);
        V a3 = Start(continues, tile + 3 * width), b3 = Start(continues, tile + 3 * width + lanes);
        for (var quad = 0; quad < quads; quad++)
        {
            Prefetch.Read((byte*)ahead, sizeof(uint) * width);
            V w0 = TSimd.Load((float*)w), w1 = TSimd.Load((float*)w + lanes);
            V u = TDots.First<V, TSimd>(w0), v = TDots.First<V, TSimd>(w1);
            a0 = TDots.Add<V, TSimd>(u, x[0], a0);
            b0 = TDots.Add<V, TSimd>(v, x[0], b0);
            a1 = TDots.Add<V, TSimd>(u, x[1], a1);
            b1 = TDots.Add<V, TSimd>(v, x[1], b1);
            a2 = TDots.Add<V, TSimd>(u, x[2], a2);
            b2 = TDots.Add<V, TSimd>(v, x[2], b2);
            a3 = TDots.Add<V, TSimd>(u, x[3], a3);
            b3 = TDots.Add<V, TSimd>(v, x[3], b3);
            if (TDots.Steps == 2)
            {
                u = TDots.Second<V, TSimd>(w0);
                v = TDots.Second<V, TSimd>(w1);
                a0 = TDots.Add<V, TSimd>(u, x[4], a0);
                b0 = TDots.Add<V, TSimd>(v, x[4], b0);
                a1 = TDots.Add<V, TSimd>(u, x[5], a1);
                b1 = TDots.Add<V, TSimd>(v, x[5], b1);
                a2 = TDots.Add<V, TSimd>(u, x[6], a2);
                b2 = TDots.Add<V, TSimd>(v, x[6], b2);
                a3 = TDots.Add<V, TSimd>(u, x[7], a3);
                b3 = TDots.Add<V, TSimd>(v, x[7], b3);
            }

            x += TDots.Steps * 4;
            w += width;
            ahead += width;
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
}
