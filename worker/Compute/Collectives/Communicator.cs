namespace Cluster.Worker.Compute.Collectives;

/// <summary>One rank's end of a group of ranks that compute together. Every rank makes the same calls in the same order; a call returns
/// when this rank's part is done. Called by backends (<see cref="Backend.AllReduce"/>, <see cref="Backend.AllGather"/>) and by what hands
/// steps to the ranks.</summary>
/// <remarks>Sums are taken in rank order, 0 first, so that all ranks hold the same bits whatever their pace. A rank that is gone or silent
/// for longer than the group's timeout ends the call of every other one with a <see cref="RankLostException"/>; nothing hangs.</remarks>
internal abstract class Communicator : IDisposable
{
    /// <summary>0 to <see cref="Size"/> − 1.</summary>
    public abstract int Rank { get; }

    /// <summary>Ranks of the group.</summary>
    public abstract int Size { get; }

    /// <summary>values = Σ over ranks, everywhere.</summary>
    /// <exception cref="RankLostException">Another rank is gone.</exception>
    public abstract void AllReduce(Span<float> values);

    /// <summary>all = the ranks' parts one behind the other, everywhere.</summary>
    /// <param name="all"><see cref="Size"/> times as long as a part.</param>
    /// <exception cref="RankLostException">Another rank is gone.</exception>
    public abstract void AllGather(ReadOnlySpan<float> part, Span<float> all);

    /// <summary>values = the root's values, everywhere.</summary>
    /// <exception cref="RankLostException">Another rank is gone.</exception>
    public abstract void Broadcast(Span<byte> values, int root);

    /// <summary>Returns when every rank has called it.</summary>
    /// <exception cref="RankLostException">Another rank is gone.</exception>
    public abstract void Barrier();

    public abstract void Dispose();
}
