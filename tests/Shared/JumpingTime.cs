namespace Cluster.Tests.Shared;

/// <summary>
/// A machine whose wall clock is set while its time goes on as before: only what the wall clock shows jumps, timestamps and timers are
/// those of the clock underneath. Several machines can share that one, each with a wall clock of its own.
/// </summary>
internal sealed class JumpingTime(ManualTime steady) : TimeProvider
{
    private long _setTicks;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => steady.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => steady.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _setTicks));

    public override long GetTimestamp() => steady.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        steady.CreateTimer(callback, state, dueTime, period);

    /// <summary>Somebody sets the wall clock forward, or with a negative time back.</summary>
    public void Jump(TimeSpan by) => Interlocked.Add(ref _setTicks, by.Ticks);
}
