using Cluster.Operator.Gateway.Replicas;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>Ends an attempt whose replica is silent and does not say that it lives. A long prompt, or a queue at the worker, is no reason
/// to give it up: its process answers <c>/health</c> then. Time in which the client does not read does not count.</summary>
internal sealed class SilenceWatch : IDisposable
{
    private readonly ReplicaHealth _health;
    private readonly ServingReplica _replica;
    private readonly TimeProvider _time;
    private readonly TimeSpan _patience;
    private readonly CancellationTokenSource _ended;
    private readonly ITimer _timer;
    private long _waitingSince;
    private int _isAsking;
    private volatile bool _isSilent;

    public SilenceWatch(
        ReplicaHealth health, ServingReplica replica, TimeProvider time, TimeSpan patience, CancellationToken cancellationToken)
    {
        (_health, _replica, _time, _patience) = (health, replica, time, patience);
        _ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _timer = time.CreateTimer(_ => _ = LookAsync(), null, patience, patience / 2);
    }

    /// <summary>Cancelled when the replica is given up, or with the request.</summary>
    public CancellationToken Token => _ended.Token;

    /// <summary>Whether it was this watch that ended the attempt.</summary>
    public bool IsSilent => _isSilent;

    /// <summary>From now on the replica is expected to say something.</summary>
    public void Waiting() => Interlocked.Exchange(ref _waitingSince, Math.Max(1, _time.GetTimestamp()));

    /// <summary>It has.</summary>
    public void Heard() => Interlocked.Exchange(ref _waitingSince, 0);

    public void Dispose()
    {
        _timer.Dispose();
        _ended.Dispose();
    }

    private async Task LookAsync()
    {
        var since = Interlocked.Read(ref _waitingSince);
        if (since == 0 || _time.GetElapsedTime(since) < _patience || Interlocked.Exchange(ref _isAsking, 1) == 1)
        {
            return;
        }

        try
        {
            if (!await _health.IsAliveAsync(_replica) && Interlocked.Read(ref _waitingSince) == since)
            {
                _isSilent = true;
                await _ended.CancelAsync();
            }
        }
        catch (Exception exception) when (exception is ObjectDisposedException or OperationCanceledException)
        {
            // The attempt has ended meanwhile.
        }
        finally
        {
            Interlocked.Exchange(ref _isAsking, 0);
        }
    }
}
