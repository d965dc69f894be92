using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>The innermost loops of <see cref="IntegerGemmJob{V, TSimd, TDots, TTable}"/>: a few rows of rounded inputs times one or two
/// panels of bytes, sums in registers.</summary>
/// <remarks>Arguments: <c>x</c> is a tile of inputs <c>[quad][step][rows]</c>, a quad being four k (see <see cref="IByteDots"/>); <c>w</c>
/// the words of a panel at the same k; <c>continues</c> whether sums go on from those in <c>tile</c>, <c>[rows][panel width]</c>, which
/// receives them; <c>ahead</c> where the weights are that are needed after these.</remarks>
internal static unsafe partial class IntegerKernels<V, TSimd, TDots>
    where V : unmanaged
    where TSimd : ISimd<V>
    where TDots : IByteDots
{
    /// <summary>How far ahead weights that are streamed are asked for. Of two panels the first is followed by the one after the
    /// second.</summary>
    public const int PrefetchWords = 1024;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows6(int* x, uint* w, uint* ahead, int quads, bool continues, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        V a0 = Start(continues, tile), b0 = Start(continues, tile + lanes);
        V a1 = Start(continues, tile + width), b1 = Start(continues, tile + width + lanes);
        V a2 = Start(continues, tile + 2 * width), b2 = Start(continues, tile + 2 * width + lanes);
        V a3 = Start(continues, tile + 3 * width), b3 = Start(continues, tile + 3 * width + lanes);
        V a4 = Start(continues, tile + 4 * width), b4 = Start(continues, tile + 4 * width + lanes);
        V a5 = Start(continues, tile + 5 * width), b5 = Start(continues, tile + 5 * width + lanes);
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
            a4 = TDots.Add<V, TSimd>(u, x[4], a4);
            b4 = TDots.Add<V, TSimd>(v, x[4], b4);
            a5 = TDots.Add<V, TSimd>(u, x[5], a5);
            b5 = TDots.Add<V, TSimd>(v, x[5], b5);
            if (TDots.Steps == 2)
            {
                u = TDots.Second<V, TSimd>(w0);
                v = TDots.Second<V, TSimd>(w1);
                a0 = TDots.Add<V, TSimd>(u, x[6], a0);
                b0 = TDots.Add<V, TSimd>(v, x[6], b0);
                a1 = TDots.Add<V, TSimd>(u, x[7], a1);
                b1 = TDots.Add<V, TSimd>(v, x[7], b1);
                a2 = TDots.Add<V, TSimd>(u, x[8], a2);
                b2 = TDots.Add<V, TSimd>(v, x[8], b2);
                a3 = TDots.Add<V, TSimd>(u, x[9], a3);
                b3 = TDots.Add<V, TSimd>(v, x[9], b3);
                a4 = TDots.Add<V, TSimd>(u, x[10], a4);
                b4 = TDots.Add<V, TSimd>(v, x[10], b4);
                a5 = TDots.Add<V, TSimd>(u, x[11], a5);
                b5 = TDots.Add<V, TSimd>(v, x[11], b5);
            }

            x += TDots.Steps * 6;
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
        TSimd.Store(a4, tile + 4 * width);
        TSimd.Store(b4, tile + 4 * width + lanes);
        TSimd.Store(a5, tile + 5 * width);
        TSimd.Store(b5, tile + 5 * width + lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows8(int* x, uint* w, uint* ahead, int quads, bool continues, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        V a0 = Start(continues, tile), b0 = Start(continues, tile + lanes);
        V a1 = Start(continues, tile + width), b1 = Start(continues, tile + width + lanes);
        V a2 = Start(continues, tile + 2 * width), b2 = Start(continues, tile + 2 * width + lanes);
        V a3 = Start(continues, tile + 3 * width), b3 = Start(continues, tile + 3 * width + lanes);
        V a4 = Start(continues, tile + 4 * width), b4 = Start(continues, tile + 4 * width + lanes);
        V a5 = Start(continues, tile + 5 * width), b5 = Start(continues, tile + 5 * width + lanes);
        V a6 = Start(continues, tile + 6 * width), b6 = Start(continues, tile + 6 * width + lanes);
        V a7 = Start(continues, tile + 7 * width), b7 = Start(continues, tile + 7 * width + lanes);
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
            a4 = TDots.Add<V, TSimd>(u, x[4], a4);
            b4 = TDots.Add<V, TSimd>(v, x[4], b4);
            a5 = TDots.Add<V, TSimd>(u, x[5], a5);
            b5 = TDots.Add<V, TSimd>(v, x[5], b5);
            a6 = TDots.Add<V, TSimd>(u, x[6], a6);
            b6 = TDots.Add<V, TSimd>(v, x[6], b6);
            a7 = TDots.Add<V, TSimd>(u, x[7], a7);
            b7 = TDots.Add<V, TSimd>(v, x[7], b7);
            if (TDots.Steps == 2)
            {
                u = TDots.Second<V, TSimd>(w0);
                v = TDots.Second<V, TSimd>(w1);
                a0 = TDots.Add<V, TSimd>(u, x[8], a0);
                b0 = TDots.Add<V, TSimd>(v, x[8], b0);
                a1 = TDots.Add<V, TSimd>(u, x[9], a1);
                b1 = TDots.Add<V, TSimd>(v, x[9], b1);
                a2 = TDots.Add<V, TSimd>(u, x[10], a2);
                b2 = TDots.Add<V, TSimd>(v, x[10], b2);
                a3 = TDots.Add<V, TSimd>(u, x[11], a3);
                b3 = TDots.Add<V, TSimd>(v, x[11], b3);
                a4 = TDots.Add<V, TSimd>(u, x[12], a4);
                b4 = TDots.Add<V, TSimd>(v, x[12], b4);
                a5 = TDots.Add<V, TSimd>(u, x[13], a5);
                b5 = TDots.Add<V, TSimd>(v, x[13], b5);
                a6 = TDots.Add<V, TSimd>(u, x[14], a6);
                b6 = TDots.Add<V, TSimd>(v, x[14], b6);
                a7 = TDots.Add<V, TSimd>(u, x[15], a7);
                b7 = TDots.Add<V, TSimd>(v, x[15], b7);
            }

            x += TDots.Steps * 8;
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
    public static void Rows12(int* x, uint* w, uint* ahead, int quads, bool continues, float* tile)
    {
        var lanes = TSimd.Lanes;
        var width = 2 * lanes;
        V a0 = Start(continues, tile), b0 = Start(continues, tile + lanes);
        V a1 = Start(continues, tile + width), b1 = Start(continues, tile + width + lanes);
        V a2 = Start(continues, tile + 2 * width), b2 = Start(continues, tile + 2 * width + lanes);
        V a3 = Start(continues, tile + 3 * width), b3 = Start(continues, tile + 3 * width + lanes);
        V a4 = Start(continues, tile + 4 * width), b4 = Start(continues, tile + 4 * width + lanes);
        V a5 = Start(continues, tile + 5 * width), b5 = Start(continues, tile + 5 * width + lanes);
        V a6 = Start(continues, tile + 6 * width), b6 = Start(continues, tile + 6 * width + lanes);
        V a7 = Start(continues, tile + 7 * width), b7 = Start(continues, tile + 7 * width + lanes);
        V a8 = Start(continues, tile + 8 * width), b8 = Start(continues, tile + 8 * width + lanes);
        V a9 = Start(continues, tile + 9 * width), b9 = Start(continues, tile + 9 * width + lanes);
        V a10 = Start(continues, tile + 10 * width), b10 = Start(continues, tile + 10 * width + lanes);
        V a11 = Start(continues, tile + 11 * width), b11 = Start(continues, tile + 11 * width + lanes);
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
            a4 = TDots.Add<V, TSimd>(u, x[4], a4);
            b4 = TDots.Add<V, TSimd>(v, x[4], b4);
            a5 = TDots.Add<V, TSimd>(u, x[5], a5);
            b5 = TDots.Add<V, TSimd>(v, x[5], b5);
            a6 = TDots.Add<V, TSimd>(u, x[6], a6);
            b6 = TDots.Add<V, TSimd>(v, x[6], b6);
            a7 = TDots.Add<V, TSimd>(u, x[7], a7);
            b7 = TDots.Add<V, TSimd>(v, x[7], b7);
            a8 = TDots.Add<V, TSimd>(u, x[8], a8);
            b8 = TDots.Add<V, TSimd>(v, x[8], b8);
            a9 = TDots.Add<V, TSimd>(u, x[9], a9);
            b9 = TDots.Add<V, TSimd>(v, x[9], b9);
            a10 = TDots.Add<V, TSimd>(u, x[10], a10);
            b10 = TDots.Add<V, TSimd>(v, x[10], b10);
            a11 = TDots.Add<V, TSimd>(u, x[11], a11);
            b11 = TDots.Add<V, TSimd>(v, x[11], b11);
            if (TDots.Steps == 2)
            {
                u = TDots.Second<V, TSimd>(w0);
                v = TDots.Second<V, TSimd>(w1);
                a0 = TDots.Add<V, TSimd>(u, x[12], a0);
                b0 = TDots.Add<V, TSimd>(v, x[12], b0);
                a1 = TDots.Add<V, TSimd>(u, x[13], a1);
                b1 = TDots.Add<V, TSimd>(v, x[13], b1);
                a2 = TDots.Add<V, TSimd>(u, x[14], a2);
                b2 = TDots.Add<V, TSimd>(v, x[14], b2);
                a3 = TDots.Add<V, TSimd>(u, x[15], a3);
                b3 = TDots.Add<V, TSimd>(v, x[15], b3);
                a4 = TDots.Add<V, TSimd>(u, x[16], a4);
                b4 = TDots.Add<V, TSimd>(v, x[16], b4);
                a5 = TDots.Add<V, TSimd>(u, x[17], a5);
                b5 = TDots.Add<V, TSimd>(v, x[17], b5);
                a6 = TDots.Add<V, TSimd>(u, x[18], a6);
                b6 = TDots.Add<V, TSimd>(v, x[18], b6);
                a7 = TDots.Add<V, TSimd>(u, x[19], a7);
                b7 = TDots.Add<V, TSimd>(v, x[19], b7);
                a8 = TDots.Add<V, TSimd>(u, x[20], a8);
                b8 = TDots.Add<V, TSimd>(v, x[20], b8);
                a9 = TDots.Add<V, TSimd>(u, x[21], a9);
                b9 = TDots.Add<V, TSimd>(v, x[21], b9);
                a10 = TDots.Add<V, TSimd>(u, x[22], a10);
                b10 = TDots.Add<V, TSimd>(v, x[22], b10);
                a11 = TDots.Add<V, TSimd>(u, x[23], a11);
                b11 = TDots.Add<V, TSimd>(v, x[23], b11);
            }

            x += TDots.Steps * 12;
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Start(bool continues, float* tile) => continues ? TSimd.Load(tile) : TSimd.Create(0);
}
