using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>What a pod worker needs from its node.</summary>
/// <param name="Images">Programs that stand for images.</param>
/// <param name="Secret">Reads namespace, secret, key.</param>
/// <param name="Record">Writes an event for a pod: type, reason, message.</param>
internal sealed record NodeServices(
    IKubernetesClient Client,
    LoopbackNetwork Network,
    PodVolumes Volumes,
    IReadOnlyDictionary<string, WorkerProgram> Images,
    Func<string, string, string, string?> Secret,
    Action<JsonObject, string, string, string> Record,
    Prober Prober,
    string HostIP,
    TimeProvider Time,
    ILogger Logger);

/// <summary>
/// Runs one pod on this machine from binding to removal. Called by <see cref="LocalNode"/>; calls a <see cref="ContainerRunner"/> for each
/// container. Publishes the pod's status whenever it changes, and deletes the object when a deleted pod's processes are gone.
/// </summary>
internal sealed class PodRunner : IAsyncDisposable
{
    private static readonly TimeSpan PublishRetry = TimeSpan.FromSeconds(1);

    private readonly NodeServices _node;
    private readonly JsonObject _pod;
    private readonly string _podIP;
    private readonly DateTimeOffset _startTime;
    private readonly List<ContainerRunner> _containers = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _dirty = new(1, 1);
    private readonly Task _run;
    private TimeSpan _grace;
    private string? _published;

    public PodRunner(NodeServices node, JsonObject pod)
    {
        _node = node;
        _pod = pod;
        _podIP = node.Network.Take();
        _startTime = node.Time.GetUtcNow();
        _grace = TimeSpan.FromSeconds((int?)pod["spec"]?["terminationGracePeriodSeconds"] ?? 30);
        foreach (var container in (pod["spec"]?["containers"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var index = _containers.Count;
            _containers.Add(new ContainerRunner(
                (string?)container["name"] ?? "",
                (string?)container["image"] ?? "",
                _podIP,
                (string?)pod["spec"]?["restartPolicy"] ?? "Always",
                () => Resolve(index),
                node.Prober,
                node.Time,
                MarkDirty,
                (type, reason, message) => node.Record(pod, type, reason, message)));
        }

        _run = Task.Run(RunAsync);
    }

    /// <summary>The loopback address the pod owns.</summary>
    public string PodIP => _podIP;

    public string Uid => (string?)_pod["metadata"]?["uid"] ?? "";

    private string Name => (string?)_pod["metadata"]?["name"] ?? "";

    private string Namespace => (string?)_pod["metadata"]?["namespace"] ?? "";

    /// <summary>The container's runner; the only one when <paramref name="container"/> is empty.</summary>
    public ContainerRunner? Container(string? container) =>
        string.IsNullOrEmpty(container)
            ? _containers.FirstOrDefault()
            : _containers.FirstOrDefault(candidate => candidate.Name == container);

    /// <summary>The object was marked for deletion: stop within its grace period and remove it. Repeated calls do nothing.</summary>
    public void Terminate(TimeSpan gracePeriod)
    {
        _grace = gracePeriod;
        if (!_stop.IsCancellationRequested)
        {
            _stop.Cancel();
        }
    }

    /// <summary>Stops the processes and waits for them.</summary>
    public async ValueTask DisposeAsync()
    {
        Terminate(_grace);
        await _run;
        _stop.Dispose();
        _dirty.Dispose();
    }

    private async Task RunAsync()
    {
        using var stopPublishing = new CancellationTokenSource();
        var publishing = PublishAsync(stopPublishing.Token);
        try
        {
            await Task.WhenAll(_containers.Select(container => container.RunAsync(() => _grace, _stop.Token)));
            if (!_stop.IsCancellationRequested)
            {
                // Completed by itself: the object stays until somebody deletes it.
                await Task.Delay(Timeout.InfiniteTimeSpan, _stop.Token)
                    .ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
        catch (Exception exception)
        {
            _node.Logger.LogError(exception, "pod {Namespace}/{Pod} failed on this node", Namespace, Name);
        }
        finally
        {
            await stopPublishing.CancelAsync();
            await publishing;
            _node.Network.Return(_podIP);
            _node.Volumes.Remove(Uid);
        }

        await RemoveAsync();
    }

    private (ContainerSpec Spec, string Program, IReadOnlyList<string> Arguments) Resolve(int index)
    {
        var spec = PodReader.Containers(
            _pod, _podIP, _node.HostIP, _node.Volumes.Resolve(_pod), (name, key) => _node.Secret(Namespace, name, key))[index];
        if (spec.Command.Count > 0)
        {
            return (spec, spec.Command[0], [.. spec.Command.Skip(1), .. spec.Arguments]);
        }

        return _node.Images.TryGetValue(spec.Image, out var program)
            ? (spec, program.Path, program.Arguments(spec.Arguments))
            : throw new PodConfigurationException(
                "ErrImagePull",
                $"local mode runs processes, not images: '{spec.Image}' is not one of "
                + $"{string.Join(", ", _node.Images.Keys.Select(image => $"'{image}'"))} and the container has no command");
    }

    private void MarkDirty()
    {
        lock (_containers)
        {
            if (_dirty.CurrentCount == 0)
            {
                _dirty.Release();
            }
        }
    }

    /// <summary>Writes the status when something changed; an API server that cannot be reached is tried again until the pod ends.</summary>
    private async Task PublishAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await _dirty.WaitAsync(cancellationToken);
                var status = Status();
                var text = status.ToJsonString();
                if (text == _published)
                {
                    continue;
                }

                try
                {
                    await _node.Client.PatchAsync<V1Pod>(
                        Namespace, Name, PatchType.Merge, new JsonObject { ["status"] = status }, "status", cancellationToken);
                    _published = text;
                }
                catch (KubernetesException exception) when (!exception.IsNotFound)
                {
                    _node.Logger.LogWarning("status of pod {Namespace}/{Pod} not written: {Message}", Namespace, Name, exception.Message);
                    await Task.Delay(PublishRetry, _node.Time, cancellationToken);
                    MarkDirty();
                }
                catch (KubernetesException)
                {
                    // Deleted under our feet: the node will tell us to stop.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The pod is gone; nobody reads its status any more.
        }
    }

    private JsonObject Status()
    {
        var exits = _containers.Select(container => container.FinalExitCode).ToList();
        var statuses = _containers.Select(container => container.Status).ToList();
        var finished = exits.Count > 0 && exits.All(exit => exit is not null) && !_stop.IsCancellationRequested;
        var running = statuses.All(status => status["state"]?["waiting"] is null || status["lastState"] is not null);
        var phase = finished ? exits.All(exit => exit == 0) ? "Succeeded" : "Failed" : running ? "Running" : "Pending";
        var ready = _containers.All(container => container.IsReady);
        return new JsonObject
        {
            ["phase"] = phase,
            ["hostIP"] = _node.HostIP,
            ["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = _node.HostIP }),
            ["podIP"] = _podIP,
            ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = _podIP }),
            ["startTime"] = Timestamp(_startTime),
            ["conditions"] = new JsonArray(
                Condition("PodReadyToStartContainers", true, null),
                Condition("Initialized", true, null),
                Condition("Ready", ready, finished ? "PodCompleted" : "ContainersNotReady"),
                Condition("ContainersReady", ready, finished ? "PodCompleted" : "ContainersNotReady"),
                Condition("PodScheduled", true, null)),
            ["containerStatuses"] = new JsonArray([.. statuses]),
        };
    }

    private readonly Dictionary<string, (bool Status, DateTimeOffset Since)> _conditions = new(StringComparer.Ordinal);

    private JsonObject Condition(string type, bool status, string? falseReason)
    {
        if (!_conditions.TryGetValue(type, out var known) || known.Status != status)
        {
            _conditions[type] = known = (status, _node.Time.GetUtcNow());
        }

        var condition = new JsonObject
        {
            ["type"] = type,
            ["status"] = status ? "True" : "False",
            ["lastTransitionTime"] = Timestamp(known.Since)
        };
        if (!status && falseReason is not null)
        {
            condition["reason"] = falseReason;
        }

        return condition;
    }

    /// <summary>The processes are gone: let the object go too, as a kubelet does with grace period 0.</summary>
    private async Task RemoveAsync()
    {
        try
        {
            await _node.Client.DeleteAsync<V1Pod>(Namespace, Name, Uid, gracePeriodSeconds: 0, CancellationToken.None);
        }
        catch (KubernetesException exception)
        {
            // Gone already, replaced by another of the name, or the API server is shutting down with us.
            _node.Logger.LogDebug("pod {Namespace}/{Pod} not removed: {Message}", Namespace, Name, exception.Message);
        }
    }

    private static string Timestamp(DateTimeOffset moment) =>
        moment.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
