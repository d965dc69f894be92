using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Groups that share a piece of work, of which the last to finish does what is to be done with all results: one launch where there
/// would be two.</summary>
internal static class Arrivals
{
    /// <summary>To be called by all threads of a group when it has written its result.</summary>
    /// <param name="counters">Zeros before the launch, and after it.</param>
    /// <param name="groups">How many arrive at a counter.</param>
    /// <param name="place">Shared memory that the group needs no more.</param>
    /// <returns>True in the last group, which sees what all others have written.</returns>
    public static bool IsLast(ArrayView<uint> counters, long counter, int groups, ArrayView<int> place)
    {
        // Every thread's own writes first, then those of all threads, then the count.
        MemoryFence.DeviceLevel();
        Group.Barrier();
        if (Group.IdxX == 0 && Group.IdxY == 0)
        {
            var arrived = (int)Atomic.Add(ref counters[counter], 1u);
            place[0] = arrived;
            if (arrived == groups - 1)
            {
                counters[counter] = 0u;
            }
        }

        Group.Barrier();
        MemoryFence.DeviceLevel();
        return place[0] == groups - 1;
    }
}
