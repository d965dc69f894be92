namespace Cluster.Operator.Tests.Controller;

/// <summary>A clock that moves only when a test says so; timers fire inside <see cref="Advance"/>, in order of their due times.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock gate = new();
    private readonly List<ManualTimer> timers = [];
    private DateTimeOffset now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Timers that are waiting: lets a test see that the code under test has gone to sleep.</summary>
    public int PendingTimers
    {
        get
        {
            lock (gate)
            {
                return timers.Count(t => t.Due is not null);
            }
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (gate)
        {
            return now;
        }
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public void Advance(TimeSpan by)
    {
        DateTimeOffset target = GetUtcNow() + by;
        while (Next(target) is { } timer)
        {
            timer.Fire();
        }
    }

    /// <summary>Moves to the next timer and fires only that one, even if what it wakes sets another.</summary>
    public void AdvanceToNextTimer() => Next(DateTimeOffset.MaxValue)?.Fire();

    private ManualTimer? Next(DateTimeOffset limit)
    {
        lock (gate)
        {
            ManualTimer? next = timers.Where(t => t.Due <= limit).MinBy(t => t.Due);
            DateTimeOffset to = next?.Due ?? limit;
            now = to > now && to != DateTimeOffset.MaxValue ? to : now;
            next?.Expire(now);
            return next;
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ManualTimer timer = new(this, callback, state);
        lock (gate)
        {
            timers.Add(timer);
        }

        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class ManualTimer(ManualTime owner, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan period;

        public DateTimeOffset? Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan newPeriod)
        {
            lock (owner.gate)
            {
                period = newPeriod;
                Due = dueTime == Timeout.InfiniteTimeSpan ? null : owner.now + dueTime;
                return true;
            }
        }

        public void Expire(DateTimeOffset at) => Due = period > TimeSpan.Zero ? at + period : null;

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (owner.gate)
            {
                Due = null;
                owner.timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
