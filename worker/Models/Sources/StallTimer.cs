namespace Cluster.Worker.Models.Sources;

/// <summary>Cancels a transfer that brings nothing for a while. Unlike a timeout of the whole request it never ends a slow download that
/// moves.</summary>
internal sealed class StallTimer : IDisposable
{
    private readonly TimeSpan _limit;
    private readonly CancellationToken _outer;
    private readonly CancellationTokenSource _timeout;
    private readonly CancellationTokenSource _linked;

    public StallTimer(TimeSpan limit, TimeProvider time, CancellationToken outer)
    {
        _limit = limit;
        _outer = outer;
        _timeout = new CancellationTokenSource(limit, time);
        _linked = CancellationTokenSource.CreateLinkedTokenSource(_timeout.Token, outer);
    }

    /// <summary>Cancelled by a stall, or by whoever wants the whole download to end.</summary>
    public CancellationToken Token => _linked.Token;

    /// <summary>Whether it was this timer that cancelled, and not the caller.</summary>
    public bool Stalled => _timeout.IsCancellationRequested && !_outer.IsCancellationRequested;

    /// <summary>Bytes came: the limit starts anew.</summary>
    public void Restart() => _timeout.CancelAfter(_limit);

    public void Dispose()
    {
        _linked.Dispose();
        _timeout.Dispose();
    }
}
