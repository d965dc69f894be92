using System.Numerics;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>Sums over ranks. Called by <see cref="HostCommunicator"/>.</summary>
internal static unsafe class SliceSum
{
    /// <summary>destination[i] = ((slot 0 [i] + slot 1 [i]) + slot 2 [i]) + …: an element's sum does not depend on where slices
    /// begin.</summary>
    /// <param name="first">The slice of rank 0.</param>
    /// <param name="stride">Floats from a rank's slice to the next rank's.</param>
    /// <param name="destination">May be one of the slices.</param>
    public static void InRankOrder(float* first, long stride, int ranks, float* destination, int length)
    {
        var i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var sum = Vector.Load(first + i);
            for (var rank = 1; rank < ranks; rank++)
            {
                sum += Vector.Load(first + rank * stride + i);
            }

            sum.Store(destination + i);
        }

        for (; i < length; i++)
        {
            var sum = first[i];
            for (var rank = 1; rank < ranks; rank++)
            {
                sum += first[rank * stride + i];
            }

            destination[i] = sum;
        }
    }
}
