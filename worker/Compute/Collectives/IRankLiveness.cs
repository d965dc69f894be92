namespace Cluster.Worker.Compute.Collectives;

/// <summary>What a waiting <see cref="RankBarrier"/> asks about ranks that have not arrived.</summary>
internal interface IRankLiveness
{
    /// <summary>Whether the rank, which has joined, still exists.</summary>
    bool IsAlive(int rank);

    /// <summary>Whether ranks that have not joined still can.</summary>
    bool CanJoin();
}
