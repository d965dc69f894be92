namespace Cluster.Worker.Compute.Collectives;

/// <summary>A rank that is a process of its own, which is what GPUs want; the group's memory is a file in <c>/dev/shm</c>. Called by the
/// ranks of <c>serve --tensor-parallel-size</c>.</summary>
/// <remarks>Used by one thread at a time. A rank that waits for a step for as long as nothing is to be done needs a beat from the rank that
/// plans, more often than the timeout, or an infinite timeout: then only a rank that has ended is noticed, not one that hangs.</remarks>
internal sealed unsafe class SharedMemoryCommunicator : HostCommunicator
{
    public const string DefaultDirectory = "/dev/shm";

    private readonly RankFile _file;
    private bool _disposed;

    private SharedMemoryCommunicator(RankFile file, int rank, int size, SharedMemoryOptions options)
        : base(file.Memory, options.SlotBytes, rank, size, options.Timeout, file) => _file = file;

    /// <summary>A name for a new group that nobody can guess. Whoever starts the ranks chooses it and hands it to all of them.</summary>
    public static string NewPath(string directory = DefaultDirectory) =>
        Path.Combine(directory, $"{RankFile.NamePrefix}{Guid.NewGuid():N}");

    /// <summary>Joins a group and returns when all ranks have. Rank 0 makes the file, readable by its user only; it has lost its name when
    /// this returns.</summary>
    /// <param name="path">From <see cref="NewPath"/>, the same for all ranks.</param>
    /// <exception cref="RankLostException">Another rank has not joined in time, or has ended.</exception>
    /// <exception cref="InvalidOperationException">This rank and rank 0 are different builds, or were started with different
    /// values.</exception>
    /// <exception cref="IOException">The file system is too small, or the rank is taken.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such rank, group, slot or timeout.</exception>
    public static SharedMemoryCommunicator Join(string path, int rank, int size, SharedMemoryOptions options)
    {
        GroupLimits.CheckRank(rank, size);
        GroupLimits.CheckTimeout(options.Timeout);
        GroupLimits.CheckSlot(options.SlotBytes);
        var bytes = BytesOf(size, options.SlotBytes);
        var file = rank == 0 ? RankFile.Create(path, size, bytes, options) : RankFile.Open(path, rank, size, bytes, options);
        var communicator = new SharedMemoryCommunicator(file, rank, size, options);
        try
        {
            communicator.Join();
            return communicator;
        }
        catch
        {
            communicator.Dispose();
            throw;
        }
        finally
        {
            file.Unlink();
        }
    }

    /// <summary>Leaves the group: calls in which others wait for this rank fail.</summary>
    public override void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Leave();
            _file.Dispose();
        }
    }
}
