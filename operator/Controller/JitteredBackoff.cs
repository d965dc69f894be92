namespace Cluster.Operator.Controller;

/// <summary>Growing, jittered pauses between tries to reach the API server, so that many clients cut off at once do not
/// come back at once. Starts again from <paramref name="first"/> after a quiet period of twice <paramref name="longest"/>.</summary>
internal sealed class JitteredBackoff(TimeSpan first, TimeSpan longest, TimeProvider time, Random random)
{
    private TimeSpan? _current;
    private long? _lastTimestamp;

    /// <summary>The server was reached: the next pause is the first again.</summary>
    public void Reset() => _current = null;

    /// <summary>Waits out the next pause: between one and two times the current step.</summary>
    public Task PauseAsync(CancellationToken cancellationToken)
    {
        if (_lastTimestamp is long last && time.GetElapsedTime(last) > longest * 2)
        {
            _current = null;
        }

        _lastTimestamp = time.GetTimestamp();
        var step = _current ?? first;
        _current = step * 2 < longest ? step * 2 : longest;
        return Task.Delay(step * (1 + random.NextDouble()), time, cancellationToken);
    }
}
