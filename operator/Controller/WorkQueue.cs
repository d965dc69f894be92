using Cluster.Common.Metrics;

namespace Cluster.Operator.Controller;

/// <summary>The queue between informers and workers, with client-go's promises: an item waits in it at most once, is worked
/// on by at most one worker at a time, and one added while it is worked on is queued again afterwards. Nothing added before
/// <see cref="ShutDown"/> is lost.</summary>
/// <remarks>
/// <code>
/// Add ──► dirty ──► ready (FIFO) ──TakeAsync──► processing ──Done──► gone, or ready again if dirty
/// AddAfter ──► waiting (by due time, earliest per item) ──timer──► Add
/// </code>
/// Called by <see cref="ControllerLoop"/> and by informer handlers, from any thread.
/// </remarks>
internal sealed class WorkQueue<T> : IDisposable
    where T : notnull
{
    /// <summary>A timer takes no more than 49 days at once; what is due later is looked at in between.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(1);

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly WorkQueueMetrics _metrics;
    private readonly ItemBackoff<T> _backoff = new(TimeSpan.FromMilliseconds(5), TimeSpan.FromSeconds(1000));
    private readonly Queue<T> _ready = [];
    private readonly HashSet<T> _dirty = [];
    private readonly Dictionary<T, long> _processing = [];
    private readonly Dictionary<T, long> _addedAt = [];

    // Due times count from here: the wall clock may be set while items wait.
    private readonly long _origin;
    private readonly PriorityQueue<T, TimeSpan> _waiting = new();
    private readonly Dictionary<T, TimeSpan> _dueTimes = [];

    // One permit for each item in `ready`, and after ShutDown one more that takers hand on to each other.
    private readonly SemaphoreSlim _available = new(0);
    private readonly ITimer _timer;
    private bool _shuttingDown;

    public WorkQueue(string name, TimeProvider time, MetricsRegistry metrics)
    {
        _time = time;
        _origin = time.GetTimestamp();
        _metrics = new WorkQueueMetrics(
            name, metrics, () => OverInProgress(Enumerable.Sum), () => OverInProgress(all => all.DefaultIfEmpty().Max()));
        _timer = time.CreateTimer(_ => MoveDueItems(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _ready.Count;
            }
        }
    }

    public void Add(T item)
    {
        lock (_gate)
        {
            if (_shuttingDown || !_dirty.Add(item))
            {
                return;
            }

            _metrics.Adds.Increment();
            if (!_processing.ContainsKey(item))
            {
                Push(item);
            }
        }
    }

    /// <summary>Adds the item once <paramref name="delay"/> has passed. Of several delays for one item the earliest counts.</summary>
    public void AddAfter(T item, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            Add(item);
            return;
        }

        lock (_gate)
        {
            var now = Now;
            var due = delay < TimeSpan.MaxValue - now ? now + delay : TimeSpan.MaxValue;
            if (_shuttingDown || (_dueTimes.TryGetValue(item, out var earlier) && earlier <= due))
            {
                return;
            }

            _dueTimes[item] = due;
            _waiting.Enqueue(item, due);
            SetTimer();
        }
    }

    /// <summary>Adds the item after its own backoff: 5 ms, doubling to 1000 s, until <see cref="Forget"/>.</summary>
    public void AddRateLimited(T item)
    {
        _metrics.Retries.Increment();
        AddAfter(item, _backoff.Next(item));
    }

    /// <summary>The item succeeded: its next failure waits 5 ms again.</summary>
    public void Forget(T item) => _backoff.Forget(item);

    public int Failures(T item) => _backoff.Failures(item);

    /// <summary>The next item, which the caller must hand to <see cref="Done"/>; false once the queue is shut down and drained.</summary>
    public async ValueTask<(bool Taken, T Item)> TakeAsync(CancellationToken cancellationToken)
    {
        await _available.WaitAsync(cancellationToken);
        lock (_gate)
        {
            if (!_ready.TryDequeue(out var item))
            {
                _available.Release();
                return (false, default!);
            }

            _dirty.Remove(item);
            _processing[item] = _time.GetTimestamp();
            _metrics.Depth.Set(_ready.Count);
            _addedAt.Remove(item, out var added);
            _metrics.QueueDuration.Observe(_time.GetElapsedTime(added).TotalSeconds);
            return (true, item);
        }
    }

    public void Done(T item)
    {
        lock (_gate)
        {
            if (!_processing.Remove(item, out var started))
            {
                throw new InvalidOperationException($"'{item}' is not being worked on");
            }

            _metrics.WorkDuration.Observe(_time.GetElapsedTime(started).TotalSeconds);
            if (_dirty.Contains(item))
            {
                Push(item);
            }
        }
    }

    /// <summary>Takes no more items; what is queued is still handed out, then <see cref="TakeAsync"/> answers false.</summary>
    public void ShutDown()
    {
        lock (_gate)
        {
            if (!_shuttingDown)
            {
                _shuttingDown = true;
                _waiting.Clear();
                _dueTimes.Clear();
                _available.Release();
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            // The timer may be at it just now.
            _shuttingDown = true;
        }

        _timer.Dispose();
        _available.Dispose();
    }

    private void Push(T item)
    {
        _ready.Enqueue(item);
        _addedAt[item] = _time.GetTimestamp();
        _metrics.Depth.Set(_ready.Count);
        _available.Release();
    }

    private void MoveDueItems()
    {
        List<T> due = [];
        lock (_gate)
        {
            var now = Now;
            while (_waiting.TryPeek(out var item, out var at) && (at <= now || IsSuperseded(item, at)))
            {
                _waiting.Dequeue();
                if (!IsSuperseded(item, at))
                {
                    _dueTimes.Remove(item);
                    due.Add(item);
                }
            }

            SetTimer();
        }

        due.ForEach(Add);
    }

    private TimeSpan Now => _time.GetElapsedTime(_origin);

    private bool IsSuperseded(T item, TimeSpan at) => !_dueTimes.TryGetValue(item, out var due) || due != at;

    private void SetTimer()
    {
        if (_waiting.TryPeek(out _, out var at))
        {
            var until = at - Now;
            _timer.Change(until < TimeSpan.Zero ? TimeSpan.Zero : until < LongestTimer ? until : LongestTimer, Timeout.InfiniteTimeSpan);
        }
    }

    private double OverInProgress(Func<IEnumerable<double>, double> aggregate)
    {
        lock (_gate)
        {
            return aggregate(_processing.Values.Select(started => _time.GetElapsedTime(started).TotalSeconds));
        }
    }
}
