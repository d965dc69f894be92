namespace Cluster.Worker.Compute.Collectives;

/// <summary>What a group of ranks on the host can be made of.</summary>
internal static class GroupLimits
{
    public const int MaxSize = 64;

    /// <summary>Long enough that copying outweighs the barriers, short enough that the slots of a few ranks stay in the last-level cache
    /// and those of eight ranks in the 64 MiB that a container's <c>/dev/shm</c> has by default.</summary>
    public const int DefaultSlotBytes = 1 << 20;

    private const int CacheLineBytes = 64;
    private const int MaxSlotBytes = 1 << 28;

    /// <exception cref="ArgumentOutOfRangeException">No such rank or group.</exception>
    public static void CheckRank(int rank, int size)
    {
        if (size is < 1 or > MaxSize)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, $"a group has 1 to {MaxSize} ranks");
        }

        if (rank < 0 || rank >= size)
        {
            throw new ArgumentOutOfRangeException(nameof(rank), rank, $"ranks of a group of {size} are 0 to {size - 1}");
        }
    }

    /// <exception cref="ArgumentOutOfRangeException">Neither positive nor infinite.</exception>
    public static void CheckTimeout(TimeSpan timeout)
    {
        if (timeout != Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        }
    }

    /// <exception cref="ArgumentOutOfRangeException">Not whole cache lines, or too many.</exception>
    public static void CheckSlot(int slotBytes)
    {
        if (slotBytes is < CacheLineBytes or > MaxSlotBytes || slotBytes % CacheLineBytes != 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(slotBytes), slotBytes, $"a slot is a multiple of {CacheLineBytes} bytes, {MaxSlotBytes} at most");
        }
    }
}
