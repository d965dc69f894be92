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

    private readonly Lock gate = new();
    private readonly TimeProvider time;
    private readonly WorkQueueMetrics metrics;
    private readonly ItemBackoff<T> backoff = new(TimeSpan.FromMilliseconds(5), TimeSpan.FromSeconds(1000));
    private readonly Queue<T> ready = [];
    private readonly HashSet<T> dirty = [];
    private readonly Dictionary<T, long> processing = [];
    private readonly Dictionary<T, long> addedAt = [];
    private readonly PriorityQueue<T, DateTimeOffset> waiting = new();
    private readonly Dictionary<T, DateTimeOffset> dueTimes = [];

    // One permit for each item in `ready`, and after ShutDown one more that takers hand on to each other.
    private readonly SemaphoreSlim available = new(0);
    private readonly ITimer timer;
    private bool shuttingDown;

    public WorkQueue(string name, TimeProvider time, MetricsRegistry metrics)
    {
        this.time = time;
        this.metrics = new WorkQueueMetrics(name, metrics, () => OverInProgress(Enumerable.Sum), () => OverInProgress(all => all.DefaultIfEmpty().Max()));
        timer = time.CreateTimer(_ => MoveDueItems(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public int Count
    {
        get
        {
            lock (gate)
            {
                return ready.Count;
            }
        }
    }

    public void Add(T item)
    {
        lock (gate)
        {
            if (shuttingDown || !dirty.Add(item))
            {
                return;
            }

            metrics.Adds.Increment();
            if (!processing.ContainsKey(item))
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

        lock (gate)
        {
            DateTimeOffset now = time.GetUtcNow();
            DateTimeOffset due = delay < DateTimeOffset.MaxValue - now ? now + delay : DateTimeOffset.MaxValue;
            if (shuttingDown || (dueTimes.TryGetValue(item, out DateTimeOffset earlier) && earlier <= due))
            {
                return;
            }

            dueTimes[item] = due;
            waiting.Enqueue(item, due);
            SetTimer();
        }
    }

    /// <summary>Adds the item after its own backoff: 5 ms, doubling to 1000 s, until <see cref="Forget"/>.</summary>
    public void AddRateLimited(T item)
    {
        metrics.Retries.Increment();
        AddAfter(item, backoff.Next(item));
    }

    /// <summary>The item succeeded: its next failure waits 5 ms again.</summary>
    public void Forget(T item) => backoff.Forget(item);

    public int Failures(T item) => backoff.Failures(item);

    /// <summary>The next item, which the caller must hand to <see cref="Done"/>; false once the queue is shut down and drained.</summary>
    public async ValueTask<(bool Taken, T Item)> TakeAsync(CancellationToken cancellationToken)
    {
        await available.WaitAsync(cancellationToken).ConfigureAwait(false);
        lock (gate)
        {
            if (!ready.TryDequeue(out T? item))
            {
                available.Release();
                return (false, default!);
            }

            dirty.Remove(item);
            processing[item] = time.GetTimestamp();
            metrics.Depth.Set(ready.Count);
            addedAt.Remove(item, out long added);
            metrics.QueueDuration.Observe(time.GetElapsedTime(added).TotalSeconds);
            return (true, item);
        }
    }

    public void Done(T item)
    {
        lock (gate)
        {
            if (!processing.Remove(item, out long started))
            {
                throw new InvalidOperationException($"'{item}' is not being worked on");
            }

            metrics.WorkDuration.Observe(time.GetElapsedTime(started).TotalSeconds);
            if (dirty.Contains(item))
            {
                Push(item);
            }
        }
    }

    /// <summary>Takes no more items; what is queued is still handed out, then <see cref="TakeAsync"/> answers false.</summary>
    public void ShutDown()
    {
        lock (gate)
        {
            if (!shuttingDown)
            {
                shuttingDown = true;
                waiting.Clear();
                dueTimes.Clear();
                available.Release();
            }
        }
    }

    public void Dispose()
    {
        timer.Dispose();
        available.Dispose();
    }

    private void Push(T item)
    {
        ready.Enqueue(item);
        addedAt[item] = time.GetTimestamp();
        metrics.Depth.Set(ready.Count);
        available.Release();
    }

    private void MoveDueItems()
    {
        List<T> due = [];
        lock (gate)
        {
            DateTimeOffset now = time.GetUtcNow();
            while (waiting.TryPeek(out T? item, out DateTimeOffset at) && (at <= now || IsSuperseded(item, at)))
            {
                waiting.Dequeue();
                if (!IsSuperseded(item, at))
                {
                    dueTimes.Remove(item);
                    due.Add(item);
                }
            }

            SetTimer();
        }

        due.ForEach(Add);
    }

    private bool IsSuperseded(T item, DateTimeOffset at) => !dueTimes.TryGetValue(item, out DateTimeOffset due) || due != at;

    private void SetTimer()
    {
        if (waiting.TryPeek(out _, out DateTimeOffset at))
        {
            TimeSpan until = at - time.GetUtcNow();
            timer.Change(until < TimeSpan.Zero ? TimeSpan.Zero : until < LongestTimer ? until : LongestTimer, Timeout.InfiniteTimeSpan);
        }
    }

    private double OverInProgress(Func<IEnumerable<double>, double> aggregate)
    {
        lock (gate)
        {
            return aggregate(processing.Values.Select(started => time.GetElapsedTime(started).TotalSeconds));
        }
    }
}
