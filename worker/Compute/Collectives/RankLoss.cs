namespace Cluster.Worker.Compute.Collectives;

/// <summary>Why a rank counts as lost.</summary>
internal enum LossReason
{
    None,
    Ended,
    Left,
    Silent,
    NeverJoined,
    Refused,
}

/// <summary>A lost rank and the reason in the one word that <see cref="GroupHeader.Loss"/> holds.</summary>
internal readonly record struct RankLoss(int Rank, LossReason Reason)
{
    public static RankLoss Unpack(long word) => new((int)(word >> 8), (LossReason)(word & 0xFF));

    public long Pack() => (long)Rank << 8 | (long)Reason;

    public RankLostException ToException(int processId, TimeSpan timeout)
    {
        var rank = processId == 0 ? $"rank {Rank}" : $"rank {Rank} (process {processId})";
        return new RankLostException(Reason switch
        {
            LossReason.Ended => $"{rank} has ended without leaving the group",
            LossReason.Left => $"{rank} has left the group while others still compute",
            LossReason.Silent => $"{rank} has not answered for {timeout.TotalSeconds:0.###} s",
            LossReason.NeverJoined => $"{rank} has not joined the group within {timeout.TotalSeconds:0.###} s",
            _ => $"{rank} has not joined: a rank refused the group or has ended; that rank's log says why",
        });
    }
}
