using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Inputs as the terms (<see cref="ITerms"/>) that matrix cores take, in the order in which lanes take them: a wave reads a
/// kilobyte at a time, whether it multiplies with it at once or moves it to shared memory.</summary>
/// <remarks>
/// <code>
/// [32 rows][step of 32 inputs][term][2 tiles of 16 rows][lane] → 8 inputs, 16 bytes:
///     lane l has row l % 16 and inputs 8·(l / 16) to 8·(l / 16) + 7 of the step
/// </code>
/// Rows and inputs that there are not are zeros.
/// </remarks>
internal static class SplitRows
{
    /// <summary>Rows that lie together.</summary>
    public const int Rows = 2 * MatrixCore.Tile;

    /// <summary>Pieces of both tiles.</summary>
    public const int Pair = 2 * Wave.Lanes;

    /// <summary>Where a tile of 16 rows begins.</summary>
    public static long PlaceOf(int tile, int steps, int terms) => (long)(tile / 2) * steps * terms * Pair + tile % 2 * Wave.Lanes;

    /// <summary>Grid (steps, tiles of 16 rows), a wave each.</summary>
    /// <param name="elements">Weights of a piece. Of pieces with more than eight, a step takes eight of each of four pieces: lane l has
    /// inputs of piece l / 16.</param>
    public static void Run<TTerms>(ArrayView<float> x, ArrayView<UInt4> output, int rows, int inputs, int elements)
        where TTerms : struct, ITerms
    {
        var terms = default(TTerms);
        var row = Grid.IdxY * MatrixCore.Tile + Group.IdxX % MatrixCore.Tile;
        var parts = elements / 8;
        var k = (Grid.IdxX / parts * MatrixLinear.PiecesAtOnce + Group.IdxX / MatrixCore.Tile) * elements + Grid.IdxX % parts * 8;
        Float4 low = default;
        Float4 high = default;
        if (row < rows)
        {
            low = default(QuadInput).Quad(x, (long)row * inputs, k, inputs);
            high = default(QuadInput).Quad(x, (long)row * inputs, k + 4, inputs);
        }

        var to = PlaceOf(Grid.IdxY, Grid.DimX, terms.Count) + (long)Grid.IdxX * terms.Count * Pair + Group.IdxX;
        for (var term = 0; term < terms.Count; term++)
        {
            UInt4 piece;
            piece.X = terms.Pair(low.X, low.Y, term);
            piece.Y = terms.Pair(low.Z, low.W, term);
            piece.Z = terms.Pair(high.X, high.Y, term);
            piece.W = terms.Pair(high.Z, high.W, term);
            output[to + term * Pair] = piece;
        }
    }
}
