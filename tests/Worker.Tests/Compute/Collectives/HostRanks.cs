using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

/// <summary>What the ranks of a group on the host may be.</summary>
public enum HostKind
{
    Threads,
    SharedMemory,
}

/// <summary>Groups of ranks under test, a thread a rank. The memory of the second kind is a file that every rank opens for itself, as a
/// process would.</summary>
internal static class HostRanks
{
    /// <summary>Far above what a loaded machine needs, so that only a hang ends here.</summary>
    public static readonly TimeSpan Generous = TimeSpan.FromMinutes(2);

    public static readonly HostKind[] Kinds = [HostKind.Threads, HostKind.SharedMemory];

    /// <summary>Runs <paramref name="body"/> on every rank and throws what a rank threw.</summary>
    public static void Run(HostKind kind, int size, int slotBytes, Action<Communicator> body)
    {
        var failures = Failures(kind, size, slotBytes, Generous, body);
        if (Array.Find(failures, failure => failure is not null) is { } first)
        {
            throw new InvalidOperationException($"a rank of {size} failed: {first}");
        }
    }

    /// <summary>Runs <paramref name="body"/> on every rank; what each threw.</summary>
    public static Exception?[] Failures(HostKind kind, int size, int slotBytes, TimeSpan timeout, Action<Communicator> body)
    {
        var join = Joining(kind, size, slotBytes, timeout);
        var failures = new Exception?[size];
        var threads = Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try
            {
                using var communicator = join(rank);
                body(communicator);
            }
            catch (Exception exception)
            {
                failures[rank] = exception;
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        return failures;
    }

    private static Func<int, Communicator> Joining(HostKind kind, int size, int slotBytes, TimeSpan timeout)
    {
        if (kind == HostKind.Threads)
        {
            var group = ThreadCommunicator.CreateGroup(size, timeout, slotBytes);
            return rank => group[rank];
        }

        var path = SharedMemoryCommunicator.NewPath();
        var options = new SharedMemoryOptions { Timeout = timeout, SlotBytes = slotBytes };
        return rank => SharedMemoryCommunicator.Join(path, rank, size, options);
    }
}
