using Microsoft.Extensions.Time.Testing;

namespace Cluster.Tests.Shared;

/// <summary>
/// A clock that moves only when a test says so. It is the library's fake clock plus what that does not tell: which timers wait.
/// Without it a test cannot know that the code under test has gone to sleep, and would move the clock too early.
/// </summary>
internal sealed class ManualTime() : FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
{
    private readonly Lock _lock = new();
    private readonly HashSet<SeenTimer> _pending = [];
    private readonly List<(TimeSpan? Due, TaskCompletionSource Seen)> _waiters = [];

    /// <summary>Timers that are waiting.</summary>
    public int PendingTimers
    {
        get
        {
            lock (_lock)
            {
                return _pending.Count;
            }
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SeenTimer(this, callback, state);
        timer.Inner = base.CreateTimer(_ => timer.Fire(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves to the next timer that is due; what it wakes may set another, which waits.</summary>
    public void AdvanceToNextTimer()
    {
        DateTimeOffset? due;
        lock (_lock)
        {
            due = _pending.Count == 0 ? null : _pending.Min(timer => timer.Due);
        }

        if (due is { } at && at > GetUtcNow())
        {
            SetUtcNow(at);
        }
    }

    /// <summary>Completes as soon as somebody waits for exactly this long.</summary>
    public Task TimerOfAsync(TimeSpan due) => SeenAsync(due);

    /// <summary>Completes as soon as somebody waits for any time.</summary>
    public Task TimerSetAsync() => SeenAsync(null);

    private Task SeenAsync(TimeSpan? due)
    {
        lock (_lock)
        {
            var now = GetUtcNow();
            if (_pending.Any(timer => due is null || timer.Due - now == due))
            {
                return Task.CompletedTask;
            }

            var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((due, seen));
            return seen.Task;
        }
    }

    private sealed class SeenTimer(ManualTime owner, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period;
        private int _changes;

        public ITimer? Inner { get; set; }

        public DateTimeOffset Due { get; private set; }

        /// <summary>The timer counts as waiting only after the clock holds it: whoever sees it may move the clock at once.</summary>
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            int change;
            lock (owner._lock)
            {
                owner._pending.Remove(this);
                _period = period;
                change = ++_changes;
            }

            var changed = Inner!.Change(dueTime, period);
            lock (owner._lock)
            {
                // Not if it fired or was changed meanwhile.
                if (changed && change == _changes)
                {
                    Wait(dueTime);
                }
            }

            return changed;
        }

        public void Fire()
        {
            lock (owner._lock)
            {
                _changes++;
                Wait(_period > TimeSpan.Zero ? _period : Timeout.InfiniteTimeSpan);
            }

            callback(state);
        }

        public void Dispose()
        {
            lock (owner._lock)
            {
                _changes++;
                owner._pending.Remove(this);
            }

            Inner!.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Wait(TimeSpan dueTime)
        {
            if (dueTime < TimeSpan.Zero)
            {
                owner._pending.Remove(this);
                return;
            }

            Due = owner.GetUtcNow() + dueTime;
            owner._pending.Add(this);
            foreach (var (_, seen) in owner._waiters.Where(waiter => waiter.Due is null || waiter.Due == dueTime))
            {
                seen.TrySetResult();
            }

            owner._waiters.RemoveAll(waiter => waiter.Due is null || waiter.Due == dueTime);
        }
    }
}
