using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.TensorParallel;

/// <summary>A worker of several ranks, with the processes and the shared memory that must not outlive it.</summary>
internal sealed class RankedWorker : IAsyncDisposable
{
    private RankedWorker(WorkerProcess worker)
    {
        Worker = worker;
        Ranks = LocalOperator.ChildrenOf(worker.ProcessId);
        SharedMemory = [
            .. File.ReadLines($"/proc/{worker.ProcessId}/maps")
                .Where(line => line.Contains("/dev/shm/cluster-", StringComparison.Ordinal))];
    }

    public WorkerProcess Worker { get; }

    /// <summary>Processes of ranks 1 and up.</summary>
    public IReadOnlyList<int> Ranks { get; }

    /// <summary>Lines of the worker's memory map: where its name stands, <c>(deleted)</c> follows once it has none.</summary>
    public IReadOnlyList<string> SharedMemory { get; }

    public static async Task<RankedWorker> StartAsync(int size, params string[] arguments)
    {
        var worker = new RankedWorker(await WorkerProcess.StartAsync(["--tensor-parallel-size", $"{size}", .. arguments]));
        Assert.Equal(size - 1, worker.Ranks.Count);
        return worker;
    }

    /// <summary>No process runs any more, and no file is left.</summary>
    public async Task AssertNothingIsLeftAsync()
    {
        Assert.True(
            await Eventually.IsTrueAsync(() => !Ranks.Any(IsRunning)), $"of ranks {string.Join(' ', Ranks)} some outlive the worker");
        Assert.NotEmpty(SharedMemory);
        Assert.All(SharedMemory, line => Assert.EndsWith(" (deleted)", line, StringComparison.Ordinal));
    }

    public ValueTask DisposeAsync() => Worker.DisposeAsync();

    /// <summary>An orphan that has ended may stay as a zombie for as long as its new parent likes.</summary>
    public static bool IsRunning(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[stat.LastIndexOf(')') + 2] != 'Z';
        }
        catch (IOException)
        {
            return false;
        }
    }
}
