using Cluster.EndToEnd.Tests.Load;
using Cluster.EndToEnd.Tests.Support;
using Cluster.EndToEnd.Tests.TensorParallel;
using Grpc.Core;

namespace Cluster.EndToEnd.Tests.Faults;

/// <summary>SIGKILL with requests in flight, as the kernel sends it when memory runs out.</summary>
[Collection(LoadCollection.Name), Trait(Category.Name, Category.Long)]
public sealed class KilledWorkerTests
{
    /// <summary>What .NET's runtime leaves in the folder for temporary files when it is killed, whatever program it runs.</summary>
    private static readonly string[] OfTheRuntime = ["dotnet-diagnostic-", "clr-debug-pipe-"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Every_stream_ends_as_broken_off_and_neither_process_nor_file_is_left(int ranks)
    {
        using var temporary = new TemporaryFolder();
        var sharedBefore = SharedMemory();
        await using var worker = await WorkerProcess.StartAsync(
            WorkerProcess.SampleModel, new Dictionary<string, string> { ["TMPDIR"] = temporary.Path }, "--tensor-parallel-size",
            $"{ranks}");
        var others = LocalOperator.ChildrenOf(worker.ProcessId);
        Assert.Equal(ranks - 1, others.Count);
        var random = new Random(5);
        Visit[] visits =
        [
            .. Enumerable.Range(0, 8).Select(i => new Visit(
                worker, (Api)(i % 2), LoadRequest.Draw(random, maxTokens: 1800, logprobs: 0), Conduct.ReadsToTheEnd)),
        ];
        var running = visits.Select(visit => visit.RunAsync(0, Task.CompletedTask, Task.CompletedTask)).ToArray();
        await Task.WhenAll(visits.Select(visit => visit.Begun));

        worker.Kill();

        foreach (var (visit, i) in visits.Select((visit, i) => (visit, i)))
        {
            var error = await Record.ExceptionAsync(() => running[i].WaitAsync(Eventually.Limit));
            Assert.True(
                i % 2 == 0
                    ? error is HttpRequestException or IOException
                    : error is RpcException { StatusCode: StatusCode.Unavailable or StatusCode.Internal },
                $"{(Api)(i % 2)}: {error}");
            Assert.Null(visit.Reply.FinishReason);
        }

        await worker.ExitAsync();
        Assert.True(
            await Eventually.IsTrueAsync(() => !others.Any(RankedWorker.IsRunning)), $"of ranks {string.Join(' ', others)} some live on");
        Assert.Empty(SharedMemory().Except(sharedBefore));
        Assert.DoesNotContain(
            Directory.EnumerateFileSystemEntries(temporary.Path).Select(path => Path.GetFileName(path)),
            name => !OfTheRuntime.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)));
    }

    private static HashSet<string> SharedMemory() => [.. Directory.EnumerateFiles("/dev/shm", "cluster-*")];
}
