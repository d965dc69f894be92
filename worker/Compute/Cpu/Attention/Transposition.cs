using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Turns the rows of a tile into columns. Moves floats and computes nothing. Called by <see cref="KvLayer"/>.</summary>
internal static unsafe class Transposition
{
    private const int Tile = CpuKvCache.TileSlots;

    /// <summary>columns[d][slot] = rows[slot][d].</summary>
    /// <param name="rows"><c>[16][columns]</c>.</param>
    /// <param name="nextRows">Those of the next tile, which are prefetched.</param>
    public static void Columns(float* rows, float* nextRows, int headDim, float* columns)
    {
        var d = 0;
        if (Sse.IsSupported)
        {
            for (; d <= headDim - Vector128<float>.Count; d += Vector128<float>.Count)
            {
                for (var slot = 0; slot < Tile; slot += Vector128<float>.Count)
                {
                    Turn(rows + (long)slot * headDim + d, headDim, columns + (long)d * Tile + slot);
                }

                Prefetch.Read(nextRows + (long)d * Tile);
                Prefetch.Read(nextRows + (long)(d + 1) * Tile);
                Prefetch.Read(nextRows + (long)(d + 2) * Tile);
                Prefetch.Read(nextRows + (long)(d + 3) * Tile);
            }
        }

        for (; d < headDim; d++)
        {
            for (var slot = 0; slot < Tile; slot++)
            {
                columns[(long)d * Tile + slot] = rows[(long)slot * headDim + d];
            }
        }
    }

    /// <summary>Four by four.</summary>
    private static void Turn(float* source, int stride, float* target)
    {
        var (a, b) = (Vector128.Load(source), Vector128.Load(source + stride));
        var (c, d) = (Vector128.Load(source + 2L * stride), Vector128.Load(source + 3L * stride));
        var (ab, cd) = (Sse.UnpackLow(a, b), Sse.UnpackLow(c, d));
        Sse.MoveLowToHigh(ab, cd).Store(target);
        Sse.MoveHighToLow(cd, ab).Store(target + Tile);
        (ab, cd) = (Sse.UnpackHigh(a, b), Sse.UnpackHigh(c, d));
        Sse.MoveLowToHigh(ab, cd).Store(target + 2 * Tile);
        Sse.MoveHighToLow(cd, ab).Store(target + 3 * Tile);
    }
}
