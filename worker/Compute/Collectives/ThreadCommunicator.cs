using Cluster.Worker.Compute.Cpu.Memory;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>A rank that is a thread; the others are threads of the same process. Made by whoever starts them: tests, benchmarks,
/// <c>verify</c>.</summary>
internal sealed unsafe class ThreadCommunicator : HostCommunicator
{
    /// <summary>Freed with the last rank; never while a slower rank may still read its slots.</summary>
    private readonly NativeMemoryBlock _memory;

    private bool _disposed;

    private ThreadCommunicator(NativeMemoryBlock memory, int slotBytes, int rank, int size, TimeSpan timeout)
        : base(memory.Address, slotBytes, rank, size, timeout, ThreadLiveness.Instance)
    {
        _memory = memory;
        Line->State = RankLine.Joined;
    }

    /// <summary>A communicator for each rank, to be used by one thread each.</summary>
    /// <param name="timeout">How long a call waits for another rank; <see cref="Timeout.InfiniteTimeSpan"/>: until it is disposed
    /// of.</param>
    /// <param name="slotBytes">Bytes that change hands at once, whole cache lines. What is longer goes in several turns.</param>
    /// <exception cref="ArgumentOutOfRangeException">No rank, or no time.</exception>
    public static Communicator[] CreateGroup(int size, TimeSpan timeout, int slotBytes = GroupLimits.DefaultSlotBytes)
    {
        GroupLimits.CheckRank(0, size);
        GroupLimits.CheckTimeout(timeout);
        GroupLimits.CheckSlot(slotBytes);
        var memory = new NativeMemoryBlock(BytesOf(size, slotBytes));
        memory.Clear();
        var ranks = new Communicator[size];
        for (var rank = 0; rank < size; rank++)
        {
            ranks[rank] = new ThreadCommunicator(memory, slotBytes, rank, size, timeout);
        }

        return ranks;
    }

    /// <summary>Leaves the group: calls in which others wait for this rank fail.</summary>
    public override void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Leave();
            GC.KeepAlive(_memory);
        }
    }

    /// <summary>A thread that ends disposes of its communicator; nothing else tells.</summary>
    private sealed class ThreadLiveness : IRankLiveness
    {
        public static readonly ThreadLiveness Instance = new();

        public bool IsAlive(int rank) => true;

        public bool CanJoin() => true;
    }
}
