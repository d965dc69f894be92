namespace Cluster.Worker.Models.Sources;

/// <summary>Cancels a transfer that brings nothing for a while. Unlike a timeout of the whole request it never ends a slow download that moves.</summary>
internal sealed class StallTimer : IDisposable
{
    private readonly TimeSpan limit;
    private readonly CancellationToken outer;
    private readonly CancellationTokenSource timeout;
    private readonly CancellationTokenSource linked;

    public StallTimer(TimeSpan limit, TimeProvider time, CancellationToken outer)
    {
        this.limit = limit;
        this.outer = outer;
        timeout = new CancellationTokenSource(limit, time);
        linked = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, outer);
    }

    /// <summary>Cancelled by a stall, or by whoever wants the whole download to end.</summary>
    public CancellationToken Token => linked.Token;

    /// <summary>Whether it was this timer that cancelled, and not the caller.</summary>
    public bool Stalled => timeout.IsCancellationRequested && !outer.IsCancellationRequested;

    /// <summary>Bytes came: the limit starts anew.</summary>
    public void Restart() => timeout.CancelAfter(limit);

    public void Dispose()
    {
        linked.Dispose();
        timeout.Dispose();
    }
}
