using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>The ranks' terms of a sum, added in rank order: the bits that ranks on the host have
/// (<see cref="Collectives.SliceSum"/>).</summary>
internal static class RankSum
{
    /// <summary>A thread for each element; grid (count / 64), a wave each. Reads ranks · count floats.</summary>
    /// <param name="terms"><c>[ranks][stride]</c>.</param>
    /// <param name="stride">Floats from a rank's terms to the next rank's.</param>
    public static void Run(ArrayView<float> terms, ArrayView<float> sums, int ranks, int stride, int count)
    {
        var i = (long)Grid.IdxX * Wave.Lanes + Group.IdxX;
        if (i < count)
        {
            var sum = terms[i];
            for (var rank = 1; rank < ranks; rank++)
            {
                sum += terms[(long)rank * stride + i];
            }

            sums[i] = sum;
        }
    }
}
