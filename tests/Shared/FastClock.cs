namespace Cluster.Tests.Shared;

/// <summary>
/// A clock that runs so many times as fast as the wall's: minutes of waiting pass in seconds. For tests of many parts at once, where
/// nobody can say when all of them wait; a fake clock, which moves only by hand, does not fit there.
/// </summary>
internal sealed class FastClock(int factor) : TimeProvider
{
    private readonly DateTimeOffset _started = System.GetUtcNow();
    private readonly long _origin = System.GetTimestamp();

    public override DateTimeOffset GetUtcNow() => _started + (factor * (System.GetUtcNow() - _started));

    public override long GetTimestamp() => _origin + (factor * (System.GetTimestamp() - _origin));

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new FastTimer(this, System.CreateTimer(callback, state, Faster(dueTime), Faster(period)));

    private TimeSpan Faster(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? time : time / factor;

    /// <summary>A timer that is set again waits as much less as one that is made.</summary>
    private sealed class FastTimer(FastClock clock, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(clock.Faster(dueTime), clock.Faster(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
