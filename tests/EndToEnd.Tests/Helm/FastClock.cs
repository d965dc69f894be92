namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>A clock that runs so many times as fast as the wall's: minutes of waiting pass in seconds.</summary>
internal sealed class FastClock(int factor) : TimeProvider
{
    private readonly DateTimeOffset started = System.GetUtcNow();
    private readonly long origin = System.GetTimestamp();

    public override DateTimeOffset GetUtcNow() => started + (factor * (System.GetUtcNow() - started));

    public override long GetTimestamp() => origin + (factor * (System.GetTimestamp() - origin));

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Faster(dueTime), Faster(period));

    private TimeSpan Faster(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? time : time / factor;
}
