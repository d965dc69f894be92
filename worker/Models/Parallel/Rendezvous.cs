using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Models.Parallel;

/// <summary>The first thing ranks do together, before the replica may call itself ready: one all-reduce to which each contributes its own
/// number.</summary>
internal static class Rendezvous
{
    /// <exception cref="InvalidDataException">The sum is not that of all ranks.</exception>
    /// <exception cref="RankLostException">Another rank is gone.</exception>
    public static void Meet(Communicator communicator)
    {
        Span<float> sum = [communicator.Rank + 1];
        communicator.AllReduce(sum);
        var expected = communicator.Size * (communicator.Size + 1) / 2;
        if (sum[0] != expected)
        {
            throw new InvalidDataException(
                $"the ranks' first all-reduce gave {sum[0]} on rank {communicator.Rank}; "
                + $"expected 1 + … + {communicator.Size} = {expected}");
        }
    }
}
