using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Inputs in rows, as a layer gets them, for what matrix cores multiply.</summary>
internal static class InputRows
{
    /// <summary>Where the inputs of this lane's row begin; see <see cref="IPieceProduct.SourceOf"/>.</summary>
    public static long SourceOf(int tile, int rows, int inputs) =>
        (long)Native.Min(tile * MatrixCore.Tile + Group.IdxX % MatrixCore.Tile, rows - 1) * inputs;
}
