namespace Cluster.Worker.Compute.Collectives;

/// <summary>A rank with a device: messages in device memory go from device to device on a stream, messages on the host go through a group
/// on the host. Called by GPU backends (<see cref="Backend.AllReduce"/>, <see cref="Backend.AllGather"/>), which have addresses and
/// streams, and by what hands steps to the ranks, which has spans.</summary>
/// <remarks>Operations on devices are enqueued and do not wait, so the loss of a rank shows in <see cref="CheckHealth"/>: the launcher
/// calls it while it waits for its stream.</remarks>
/// <param name="host">The same ranks on the host. Not disposed of here.</param>
internal abstract class DeviceCommunicator(Communicator host) : Communicator
{
    public sealed override int Rank => host.Rank;

    public sealed override int Size => host.Size;

    public sealed override void AllReduce(Span<float> values) => host.AllReduce(values);

    public sealed override void AllGather(ReadOnlySpan<float> part, Span<float> all) => host.AllGather(part, all);

    public sealed override void Broadcast(Span<byte> values, int root) => host.Broadcast(values, root);

    public sealed override void Barrier() => host.Barrier();

    /// <summary>values = Σ over ranks, everywhere, in an order that the library chooses: of two ranks there is only one.</summary>
    /// <param name="values">Device address of <paramref name="count"/> floats.</param>
    /// <param name="stream">The device's stream or queue; 0 is the default one.</param>
    public abstract void AllReduce(nint values, long count, nint stream);

    /// <summary>all = the ranks' parts one behind the other, everywhere.</summary>
    /// <param name="part">Device address of <paramref name="count"/> floats.</param>
    /// <param name="all">Device address of <see cref="Size"/> · <paramref name="count"/> floats.</param>
    public abstract void AllGather(nint part, nint all, long count, nint stream);

    /// <summary>values = the root's values, everywhere.</summary>
    /// <param name="values">Device address of <paramref name="bytes"/> bytes.</param>
    public abstract void Broadcast(nint values, long bytes, int root, nint stream);

    /// <summary>Messages between pairs of ranks, all at once. Every rank sends what the others receive.</summary>
    public abstract void Exchange(ReadOnlySpan<RankMessage> messages, nint stream);

    /// <summary>Returns while all that was enqueued may still be expected to end.</summary>
    /// <exception cref="RankLostException">It may not.</exception>
    public abstract void CheckHealth();
}
