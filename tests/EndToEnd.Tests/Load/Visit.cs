using Cluster.EndToEnd.Tests.Support;
using Grpc.Core;

namespace Cluster.EndToEnd.Tests.Load;

/// <summary>How a client behaves.</summary>
internal enum Conduct
{
    ReadsToTheEnd,
    LeavesBeforeTheFirstToken,
    Cancels,
    Resets,
    Stalls,
}

/// <summary>One client's request and what came of it.</summary>
internal sealed class Visit(WorkerProcess worker, Api api, LoadRequest request, Conduct conduct)
{
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LoadRequest Request => request;

    public Conduct Conduct => conduct;

    public Reply Reply { get; } = new();

    /// <summary>From sending to the first part; null when none came.</summary>
    public TimeSpan? TimeToFirstToken { get; private set; }

    /// <summary>Completes with the first part of the reply, or with the visit's end.</summary>
    public Task Begun => _begun.Task;

    /// <summary>Asks and reads, as the conduct has it.</summary>
    /// <param name="leaveAfter">Parts after which to cancel or reset, with those conducts.</param>
    /// <param name="othersProgress">When one that leaves before its first token leaves, unless that comes earlier.</param>
    /// <param name="released">When one that stalls after its first part reads on.</param>
    public async Task RunAsync(int leaveAfter, Task othersProgress, Task released)
    {
        using var connection = new LoopbackConnection();
        using var left = new CancellationTokenSource();
        try
        {
            await ReadAsync(connection, left, leaveAfter, othersProgress, released);
        }
        catch (Exception exception)
            when (conduct is Conduct.LeavesBeforeTheFirstToken or Conduct.Resets
                && exception is OperationCanceledException or IOException or HttpRequestException or ObjectDisposedException
                    or RpcException { StatusCode: StatusCode.Cancelled or StatusCode.Unavailable or StatusCode.Internal })
        {
            // Its own doing.
        }
        finally
        {
            _begun.TrySetResult();
        }
    }

    private async Task ReadAsync(
        LoopbackConnection connection, CancellationTokenSource left, int leaveAfter, Task othersProgress, Task released)
    {
        var started = TimeProvider.System.GetTimestamp();
        await using var parts = StreamClient.StreamAsync(worker, api, connection, request, left.Token)
            .GetAsyncEnumerator(CancellationToken.None);
        var first = parts.MoveNextAsync().AsTask();
        if (conduct == Conduct.LeavesBeforeTheFirstToken)
        {
            await Task.WhenAny(first, othersProgress);
            await left.CancelAsync();
        }

        for (var more = await first; more; more = await parts.MoveNextAsync())
        {
            TimeToFirstToken ??= TimeProvider.System.GetElapsedTime(started);
            Reply.Add(parts.Current);
            _begun.TrySetResult();
            switch (conduct)
            {
                case Conduct.Stalls:
                    await released;
                    break;
                case Conduct.Cancels when leaveAfter-- == 0:
                    return;
                case Conduct.Resets when leaveAfter-- == 0:
                    connection.Reset();
                    return;
            }
        }
    }
}
