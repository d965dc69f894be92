namespace Cluster.Tests.Shared;

/// <summary>What the calling thread allocates.</summary>
internal static class Allocations
{
    private const int Rounds = 3;

    /// <summary>The bytes of the round that took the fewest: a collection that another thread begins ends this one's stretch of memory, and
    /// what was left of it counts as allocated. Who allocates does so in every round.</summary>
    /// <param name="round">Called a few times.</param>
    public static long Least(Action round)
    {
        var least = long.MaxValue;
        for (var i = 0; i < Rounds && least > 0; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            round();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
