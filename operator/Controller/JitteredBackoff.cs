namespace Cluster.Operator.Controller;

/// <summary>Growing, jittered pauses between tries to reach the API server, so that many clients cut off at once do not
/// come back at once. Starts again from <paramref name="first"/> after a quiet period of twice <paramref name="longest"/>.</summary>
internal sealed class JitteredBackoff(TimeSpan first, TimeSpan longest, TimeProvider time, Random random)
{
    private TimeSpan? current;
    private long? lastTimestamp;

    /// <summary>The server was reached: the next pause is the first again.</summary>
    public void Reset() => current = null;

    /// <summary>Waits out the next pause: between one and two times the current step.</summary>
    public Task PauseAsync(CancellationToken cancellationToken)
    {
        if (lastTimestamp is long last && time.GetElapsedTime(last) > longest * 2)
        {
            current = null;
        }

        lastTimestamp = time.GetTimestamp();
        TimeSpan step = current ?? first;
        current = step * 2 < longest ? step * 2 : longest;
        return Task.Delay(step * (1 + random.NextDouble()), time, cancellationToken);
    }
}
