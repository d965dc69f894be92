using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>Follows one namespace from outside, by list and watch straight from the server, and checks at every single change that
/// no GPU is held by two pods. The judge of the scenarios: it shares no state with the operator.</summary>
internal sealed class ClusterObserver(IKubernetesClient client, string @namespace) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<string, V1Pod> _pods = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ModelDeployment> _deployments = new(StringComparer.Ordinal);
    private readonly List<string> _doubleBookings = [];
    private readonly List<(Func<V1Pod, bool> Of, int Least)> _lows = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _following = Task.CompletedTask;

    /// <summary>Called for every change of a pod, on the observer's loop.</summary>
    public Action<V1Pod>? OnPod { get; set; }

    public IReadOnlyList<V1Pod> Pods
    {
        get
        {
            lock (_gate)
            {
                return [.. _pods.Values.OrderBy(p => p.Metadata.Name, StringComparer.Ordinal)];
            }
        }
    }

    public IReadOnlyList<string> DoubleBookings
    {
        get
        {
            lock (_gate)
            {
                return [.. _doubleBookings];
            }
        }
    }

    public void Start() => _following = Task.WhenAll(
        Task.Run(() => FollowAsync(_pods, PodChanged)),
        Task.Run(() => FollowAsync(_deployments, _ => { })));

    public V1Pod? Pod(string name) => Find(_pods, name);

    public ModelDeployment? Deployment(string name) => Find(_deployments, name);

    /// <summary>Pods of a deployment that are neither ending nor over.</summary>
    public IReadOnlyList<Replica> Active(string deployment) =>
        [.. Pods.Where(p => BelongsTo(p, deployment)).Select(p => Replica.Of(p)).Where(r => !r.Terminating && !r.Finished)];

    public int Ready(string deployment) => Active(deployment).Count(r => r.Ready);

    public Condition? Condition(string deployment, string type) => Deployment(deployment)?.Status?.Conditions?.Find(c => c.Type == type);

    public static bool BelongsTo(V1Pod pod, string deployment) => pod.GetLabel(ApiNames.DeploymentLabel) == deployment;

    /// <returns>A reader of the fewest ready pods of the deployment that were ever seen from now on, change by change.</returns>
    public Func<int> WatchFewestReady(string deployment)
    {
        lock (_gate)
        {
            var index = _lows.Count;
            _lows.Add((p => BelongsTo(p, deployment), CountReady(p => BelongsTo(p, deployment))));
            return () =>
            {
                lock (_gate)
                {
                    return _lows[index].Least;
                }
            };
        }
    }

    /// <summary>Waits, woken by every change, until the condition holds.</summary>
    /// <exception cref="TimeoutException">It never did; the message shows what there was instead.</exception>
    public async Task UntilAsync(Func<bool> condition, string what)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            Task next;
            lock (_gate)
            {
                next = _changed.Task;
            }

            if (condition())
            {
                return;
            }

            try
            {
                await next.WaitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"never happened: {what}\n{Describe()}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task FollowAsync<T>(Dictionary<string, T> into, Action<T> told)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var list = await client.ListAsync<T>(@namespace, null, _stop.Token);
        var version = list.ResourceVersion;
        foreach (var item in list.Items)
        {
            Put(into, WatchEventType.Added, item, told);
        }

        while (!_stop.IsCancellationRequested)
        {
            await foreach (var change in client.WatchAsync<T>(@namespace, version, null, opened: null, _stop.Token))
            {
                version = change.Object.Metadata.ResourceVersion ?? version;
                if (change.Type != WatchEventType.Bookmark)
                {
                    Put(into, change.Type, change.Object, told);
                }
            }
        }
    }

    private void Put<T>(Dictionary<string, T> into, WatchEventType type, T value, Action<T> told)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        lock (_gate)
        {
            if (type == WatchEventType.Deleted)
            {
                into.Remove(value.Metadata.Name);
            }
            else
            {
                into[value.Metadata.Name] = value;
            }

            told(value);
        }

        Wake();
        if (value is V1Pod pod)
        {
            OnPod?.Invoke(pod);
        }
    }

    private void Wake()
    {
        TaskCompletionSource before;
        lock (_gate)
        {
            before = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        before.SetResult();
    }

    private void PodChanged(V1Pod _)
    {
        var twice = _pods.Values.Select(p => Replica.Of(p)).Where(r => r.HoldsGpus)
            .SelectMany(r => r.Gpus.Select(g => (Gpu: $"{r.Node}/{g}", r.Name)))
            .GroupBy(h => h.Gpu, h => h.Name).Where(g => g.Count() > 1);
        _doubleBookings.AddRange(twice.Select(g => $"{g.Key}: {string.Join(", ", g)}"));
        for (var i = 0; i < _lows.Count; i++)
        {
            _lows[i] = _lows[i] with { Least = Math.Min(_lows[i].Least, CountReady(_lows[i].Of)) };
        }
    }

    private int CountReady(Func<V1Pod, bool> of) => _pods.Values.Where(of).Count(p => Replica.Of(p).Ready);

    private T? Find<T>(Dictionary<string, T> from, string name)
        where T : class
    {
        lock (_gate)
        {
            return from.GetValueOrDefault(name);
        }
    }

    private string Describe()
    {
        var lines = Pods.Select(p => Replica.Of(p)).Select(r =>
            $"  pod {r.Name} on {r.Node} GPUs {string.Join(',', r.Gpus)} "
            + $"{r.Pod.Status?.Phase}{(r.Ready ? " ready" : "")}{(r.Terminating ? " terminating" : "")} bound={r.IsBound} "
            + $"template={r.TemplateHash}");
        lock (_gate)
        {
            return string.Join(
                '\n',
                lines.Concat(
                    _deployments.Values.SelectMany(
                        d => (d.Status?.Conditions ?? []).Select(c => $"  {d.Metadata.Name} {c.Type}={c.Status} {c.Reason}: {c.Message}")
                            .Prepend(
                                $"  mdep {d.Metadata.Name} generation {d.Metadata.Generation} observed {d.Status?.ObservedGeneration}"))));
        }
    }
}
