using Cluster.Operator.Controller;

namespace Cluster.Operator.Gateway.Traffic;

/// <summary>What went through this gateway in the last 15 minutes, in slots of 5 seconds, and the last 256 requests one by one. The proxy
/// tells it, the page reads it. For any thread; it holds a bounded number of requests, deployments and replicas, whatever comes.</summary>
/// <remarks>A request is told in this order; what is told of one that is not known (any more) is ignored:
/// <code>Started → [Assigned] → FirstToken → Tokens … Moved … Tokens → Ended</code></remarks>
internal sealed class TrafficLog(TimeProvider time)
{
    public const int SlotSeconds = 5;
    public const int Slots = 15 * 60 / SlotSeconds;
    public const int JournalLength = 256;

    /// <summary>Requests in flight that are followed; those beyond are counted when they come, and that is all.</summary>
    private const int MostRequests = 1 << 16;

    private const int MostDeployments = 64;
    private const int MostReplicas = 512;

    private readonly Lock _gate = new();
    private readonly long _start = time.GetTimestamp();
    private readonly Dictionary<RequestId, TrackedRequest> _running = [];
    private readonly Queue<TrackedRequest> _journal = new(JournalLength);
    private readonly Dictionary<NamespacedName, Series<TrafficSlot>> _deployments = [];
    private readonly Dictionary<NamespacedName, Series<ReplicaSlot>> _replicas = [];
    private long _version;

    /// <param name="replica">Name of the pod that it is sent to; null while it waits for one (<see cref="Assigned"/>).</param>
    /// <param name="keyName">Name of the client's API key; empty without one.</param>
    /// <param name="came">When it came, a timestamp of the same clock; null for now.</param>
    public void Started(RequestId id, NamespacedName deployment, string? replica, string model, string keyName, long? came = null)
    {
        TrackedRequest request = new(id, deployment, model, keyName, came ?? time.GetTimestamp());
        lock (_gate)
        {
            SlotOf(deployment).Started++;
            if (_running.Count >= MostRequests || !_running.TryAdd(id, request))
            {
                return;
            }

            if (_journal.Count == JournalLength)
            {
                _journal.Dequeue();
            }

            _journal.Enqueue(request);
            _deployments[deployment].Running++;
            request.Version = ++_version;
            if (replica is not null)
            {
                request.Assign(replica, "", 0, time);
            }
        }
    }

    /// <summary>The replica that a waiting request is sent to.</summary>
    public void Assigned(RequestId id, string replica) => Change(id, request => request.Assign(replica, "", request.Tokens, time));

    /// <summary>The first token is on its way to the client.</summary>
    public void FirstToken(RequestId id) => Change(id, request => First(request, time.GetTimestamp()));

    /// <param name="count">Tokens that were sent to the client since the last call.</param>
    public void Tokens(RequestId id, int count)
    {
        var now = time.GetTimestamp();
        lock (_gate)
        {
            if (count > 0 && _running.TryGetValue(id, out var request))
            {
                First(request, now);
                Add(request, count, now);
                request.Version = ++_version;
            }
        }
    }

    /// <summary>Another replica goes on with it.</summary>
    /// <param name="tokensSoFar">What the client has of the answer.</param>
    /// <param name="reason">Why the first one does not, in a few words.</param>
    public void Moved(RequestId id, string fromReplica, string toReplica, int tokensSoFar, string reason) => Change(id, request =>
    {
        SlotOf(request.Deployment).Moved++;
        if (request.Replica is null)
        {
            request.Assign(fromReplica, "", 0, time);
        }

        request.Assign(toReplica, reason, tokensSoFar, time);
    });

    /// <param name="completionTokens">Of the whole answer, where the gateway knows; null for what it was told by
    /// <see cref="Tokens"/>.</param>
    public void Ended(RequestId id, RequestOutcome outcome, int? promptTokens, int? completionTokens, int? cachedTokens)
    {
        var now = time.GetTimestamp();
        lock (_gate)
        {
            if (!_running.Remove(id, out var request))
            {
                return;
            }

            // An answer in one piece: its tokens come all at once, and when the first one was made nobody knows.
            if (completionTokens is { } all && all > request.Tokens)
            {
                Add(request, all - request.Tokens, request.First is null ? now : request.Last);
            }

            (request.Outcome, request.PromptTokens, request.CachedTokens, request.Ended) = (outcome, promptTokens, cachedTokens, now);
            request.Version = ++_version;
            _deployments[request.Deployment].Running--;
            var slot = SlotOf(request.Deployment);
            slot.PromptTokens += promptTokens ?? 0;
            slot.CachedTokens += cachedTokens ?? 0;
            slot.Completed += outcome == RequestOutcome.Completed ? 1 : 0;
            slot.Refused += outcome is RequestOutcome.Failed or RequestOutcome.Rejected ? 1 : 0;
            if (request.Tpot(time) is { } tpot)
            {
                slot.AddTpot(tpot);
            }
        }
    }

    /// <summary>A replica's metrics were read.</summary>
    public void Scraped(NamespacedName replica, ReplicaLoad load)
    {
        lock (_gate)
        {
            var slot = SlotOf(replica, _replicas, MostReplicas, out var series);
            if (series.Load is { } before)
            {
                // Counters begin anew when the worker does.
                var restarted = load.PrefixQueries < before.PrefixQueries || load.PrefixHits < before.PrefixHits;
                slot.PrefixQueries += load.PrefixQueries - (restarted ? 0 : before.PrefixQueries);
                slot.PrefixHits += load.PrefixHits - (restarted ? 0 : before.PrefixHits);
            }

            series.Load = slot.Load = load;
        }
    }

    /// <param name="fromSlot">What is older is left out; 0 for everything that is kept.</param>
    public TrafficSnapshot Snapshot(long fromSlot = 0)
    {
        var clock = time.GetUtcNow();
        lock (_gate)
        {
            var elapsed = time.GetElapsedTime(_start).TotalSeconds;
            var last = (long)(elapsed / SlotSeconds);
            var first = Math.Clamp(fromSlot, Math.Max(0, last - Slots + 1), last);
            long[] numbers = [.. Enumerable.Range(0, (int)(last - first + 1)).Select(i => first + i)];
            var recent = _deployments.Where(d => d.Value.Ring.Latest > last - Slots || d.Value.Running > 0).ToList();
            return new TrafficSnapshot(
                first, SlotSeconds, clock, elapsed - (last * SlotSeconds), _running.Count,
                SeriesOf([.. numbers.Select(n => Sum(recent.Select(d => d.Value.Ring.Find(n))))]),
                [.. recent.OrderBy(d => d.Key.ToString(), StringComparer.Ordinal).Select(d => new DeploymentTraffic(
                    d.Key, d.Value.Running, SeriesOf([.. numbers.Select(d.Value.Ring.Find)])))],
                [.. _replicas.Where(r => r.Value.Ring.Latest > last - Slots).OrderBy(r => r.Key.ToString(), StringComparer.Ordinal)
                    .Select(r => Columns(r.Key, r.Value, numbers))]);
        }
    }

    /// <summary>The latest requests, newest first.</summary>
    /// <param name="afterVersion">Only those that changed after an entry of this <see cref="JournalEntry.Version"/>; 0 for all.</param>
    public IReadOnlyList<JournalEntry> Journal(long afterVersion = 0)
    {
        lock (_gate)
        {
            var now = (time.GetTimestamp(), time.GetUtcNow());
            return [.. _journal.Where(r => r.Version > afterVersion).Reverse().Select(r => r.Entry(now, time))];
        }
    }

    private static TrafficSlot? Sum(IEnumerable<TrafficSlot?> slots)
    {
        TrafficSlot? sum = null;
        foreach (var slot in slots.OfType<TrafficSlot>())
        {
            slot.AddTo(sum ??= new TrafficSlot());
        }

        return sum;
    }

    private static TrafficSeries SeriesOf(TrafficSlot?[] slots) => new(
        [.. slots.Select(s => s?.Started ?? 0)],
        [.. slots.Select(s => s?.Completed ?? 0)],
        [.. slots.Select(s => s?.Refused ?? 0)],
        [.. slots.Select(s => s?.Moved ?? 0)],
        [.. slots.Select(s => s?.Tokens ?? 0)],
        [.. slots.Select(s => s?.PromptTokens ?? 0)],
        [.. slots.Select(s => s?.CachedTokens ?? 0)],
        PercentilesOf(slots, s => s.Ttft),
        PercentilesOf(slots, s => s.Tpot));

    private static Percentiles PercentilesOf(TrafficSlot?[] slots, Func<TrafficSlot, LatencyHistogram?> of)
    {
        return new Percentiles(Column(0.5), Column(0.9), Column(0.99));

        List<double?> Column(double quantile) => [.. slots.Select(s => s is null ? null : of(s)?.Quantile(quantile))];
    }

    private static ReplicaTraffic Columns(NamespacedName replica, Series<ReplicaSlot> series, long[] numbers)
    {
        ReplicaSlot?[] slots = [.. numbers.Select(series.Ring.Find)];
        return new ReplicaTraffic(
            replica, series.Load, [.. slots.Select(s => s?.Tokens ?? 0)], [.. slots.Select(s => s?.Load?.Running)],
            [.. slots.Select(s => s?.Load?.KvUsage)],
            [.. slots.Select(s => s is { PrefixQueries: > 0 } ? (double)s.PrefixHits / s.PrefixQueries : (double?)null)]);
    }

    private void Change(RequestId id, Action<TrackedRequest> change)
    {
        lock (_gate)
        {
            if (_running.TryGetValue(id, out var request))
            {
                change(request);
                request.Version = ++_version;
            }
        }
    }

    private void First(TrackedRequest request, long now)
    {
        if (request.First is null)
        {
            (request.First, request.Last) = (now, now);
            SlotOf(request.Deployment).AddTtft(time.GetElapsedTime(request.Came, now).TotalMilliseconds);
        }
    }

    private void Add(TrackedRequest request, int count, long last)
    {
        (request.Tokens, request.Last) = (request.Tokens + count, last);
        SlotOf(request.Deployment).Tokens += count;
        if (request.Replica is { } replica)
        {
            SlotOf(request.Deployment with { Name = replica }, _replicas, MostReplicas, out _).Tokens += count;
        }
    }

    private TrafficSlot SlotOf(NamespacedName deployment) => SlotOf(deployment, _deployments, MostDeployments, out _);

    /// <summary>The slot of now. Where there are too many series, that which was silent for longest makes room; one with requests in flight
    /// stays.</summary>
    private T SlotOf<T>(NamespacedName name, Dictionary<NamespacedName, Series<T>> all, int most, out Series<T> series)
        where T : class, new()
    {
        if (!all.TryGetValue(name, out series!))
        {
            if (all.Count >= most && all.Where(s => s.Value.Running == 0).ToList() is { Count: > 0 } idle)
            {
                all.Remove(idle.MinBy(s => s.Value.Ring.Latest).Key);
            }

            all[name] = series = new Series<T>();
        }

        return series.Ring.At((long)(time.GetElapsedTime(_start).TotalSeconds / SlotSeconds));
    }

    private sealed class Series<T>
        where T : class, new()
    {
        public SlotRing<T> Ring { get; } = new(Slots);

        public int Running { get; set; }

        /// <summary>Of a replica: as last read.</summary>
        public ReplicaLoad? Load { get; set; }
    }
}
