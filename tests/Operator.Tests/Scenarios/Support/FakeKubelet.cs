using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>Scheduler and kubelets of a test's nodes, by nothing but the HTTP API: binds pods to the node they are pinned to, says
/// that they run, and confirms their end. Tests tell it to hold back, to crash or to lose a node.</summary>
internal sealed class FakeKubelet : IAsyncDisposable
{
    private readonly KubernetesClient _client;
    private readonly ClusterObserver _observer;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<string> _work = Channel.CreateUnbounded<string>();
    private readonly ConcurrentDictionary<string, bool> _lostNodes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _broken = new(StringComparer.Ordinal);

    /// <summary>Held while a pod is looked at and told of: what a test does to a pod must not be overwritten by what was seen
    /// before.</summary>
    private readonly SemaphoreSlim _turn = new(1);

    private readonly Task _working;

    public FakeKubelet(KubernetesClient client, ClusterObserver observer)
    {
        _client = client;
        _observer = observer;
        observer.OnPod = pod => _work.Writer.TryWrite(pod.Metadata.Name);
        _working = Task.Run(WorkAsync);
    }

    /// <summary>Which pods pass their readiness probe. After a change call <see cref="LookAgain"/>.</summary>
    public Func<V1Pod, bool> BecomesReady { get; set; } = _ => true;

    /// <summary>Which pods get their containers once they are on a node.</summary>
    public Func<V1Pod, bool> Creates { get; set; } = _ => true;

    /// <summary>Which pods the scheduler puts on the node they are pinned to.</summary>
    public Func<V1Pod, bool> Binds { get; set; } = _ => true;

    /// <summary>Which pods the kubelet does not let in, and why; null for those it does.</summary>
    public Func<V1Pod, (string Reason, string Message)?> TurnsBack { get; set; } = _ => null;

    /// <summary>Which pods end when they are told to.</summary>
    public Func<V1Pod, bool> Ends { get; set; } = _ => true;

    public void LookAgain()
    {
        foreach (var pod in _observer.Pods)
        {
            _work.Writer.TryWrite(pod.Metadata.Name);
        }
    }

    /// <summary>The worker exits again and again; its last words are what the container log ended with.</summary>
    public Task CrashAsync(string pod, string lastWords, int exitCode = 1) => InTurnAsync(() =>
    {
        _broken[pod] = true;
        return SetStatusAsync(Find(pod), "Running", ready: false, container: Container(ready: false, restarts: 3, new JsonObject
        {
            ["state"] = new JsonObject
            {
                ["waiting"] = new JsonObject { ["reason"] = "CrashLoopBackOff", ["message"] = "back-off 40s restarting failed container" }
            },
            ["lastState"] = new JsonObject
            {
                ["terminated"] = new JsonObject { ["exitCode"] = exitCode, ["reason"] = "Error", ["message"] = lastWords }
            },
        }));
    });

    /// <summary>The worker came up after all.</summary>
    public Task RecoverAsync(string pod) => InTurnAsync(() =>
    {
        _broken.TryRemove(pod, out _);
        return SetStatusAsync(Find(pod), "Running", ready: true);
    });

    /// <summary>A worker that served fails its readiness probe from now on, and runs on.</summary>
    /// <param name="address">Where it answers.</param>
    public Task BecomeUnreadyAsync(string pod, string address) => InTurnAsync(() =>
    {
        _broken[pod] = true;
        return SetStatusAsync(
            Find(pod), "Running", ready: false, address: address, container: Container(ready: false, restarts: 0, new JsonObject
            {
                ["started"] = true,
                ["state"] = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = "2026-01-01T00:00:00Z" } },
            }));
    });

    /// <summary>What a kubelet under memory or disk pressure does.</summary>
    public Task EvictAsync(string pod) => InTurnAsync(() =>
    {
        _broken[pod] = true;
        return SetStatusAsync(Find(pod), "Failed", ready: false, reason: "Evicted", message: "The node was low on resource: memory.");
    });

    /// <summary>The machine falls silent: its kubelet acts no more, and the node controller (absent in tests) marks node and
    /// pods.</summary>
    public Task LoseNodeAsync(string node) => InTurnAsync(async () =>
    {
        _lostNodes[node] = true;
        await SetNodeReadyAsync(node, "Unknown");
        foreach (var pod in _observer.Pods.Where(p => p.Spec.NodeName == node && p.Metadata.DeletionTimestamp is null))
        {
            try
            {
                await SetStatusAsync(pod, "Running", ready: false);
            }
            catch (KubernetesException e) when (e.IsNotFound)
            {
                // The operator was faster.
            }
        }
    });

    /// <summary>The machine is back; its kubelet finishes what it was told meanwhile.</summary>
    public async Task ReturnNodeAsync(string node)
    {
        _lostNodes.TryRemove(node, out _);
        await SetNodeReadyAsync(node, "True");
        LookAgain();
    }

    public Task SetNodeReadyAsync(string node, string status) => _client.PatchAsync<V1Node>(
        null, node, PatchType.Merge,
        new JsonObject { ["status"] = new JsonObject { ["conditions"] = new JsonArray(Condition("Ready", status)) } }, "status",
        _stop.Token);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _working;
        _stop.Dispose();
        _turn.Dispose();
    }

    private async Task InTurnAsync(Func<Task> act)
    {
        await _turn.WaitAsync(_stop.Token);
        try
        {
            await act();
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task WorkAsync()
    {
        try
        {
            await foreach (var name in _work.Reader.ReadAllAsync(_stop.Token))
            {
                try
                {
                    if (_observer.Pod(name) is { } pod)
                    {
                        await InTurnAsync(() => ActAsync(pod));
                    }
                }
                catch (KubernetesException e) when (e.StatusCode is 404 or 409)
                {
                    // The pod went or changed meanwhile; its next change brings it back here.
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The test is over.
        }
    }

    private async Task ActAsync(V1Pod pod)
    {
        var node = pod.Spec.NodeName ?? pod.GetAnnotation(ApiNames.GpuNodeAnnotation);
        if (node is null || _lostNodes.ContainsKey(node))
        {
            return;
        }

        if (pod.Metadata.DeletionTimestamp is not null)
        {
            if (Ends(pod))
            {
                await _client.DeleteAsync<V1Pod>(
                    pod.Metadata.NamespaceProperty, pod.Metadata.Name, pod.Metadata.Uid, gracePeriodSeconds: 0, _stop.Token);
            }
        }
        else if (pod.Spec.NodeName is null)
        {
            if (Binds(pod) && (await _client.GetAsync<V1Node>(null, node, _stop.Token)).Spec.Unschedulable != true)
            {
                await _client.BindAsync(pod.Metadata.NamespaceProperty!, pod.Metadata.Name, node, _stop.Token);
            }
        }
        else if (pod.Status?.Phase == "Pending" && TurnsBack(pod) is { } refusal)
        {
            JsonObject status = new() { ["phase"] = "Failed", ["reason"] = refusal.Reason, ["message"] = refusal.Message };
            await _client.PatchAsync<V1Pod>(
                pod.Metadata.NamespaceProperty, pod.Metadata.Name, PatchType.Merge, new JsonObject { ["status"] = status }, "status",
                _stop.Token);
        }
        else if (pod.Status?.Phase is "Pending" or "Running" && Creates(pod) && !_broken.ContainsKey(pod.Metadata.Name))
        {
            var ready = BecomesReady(pod);
            if (pod.Status.Phase == "Pending" || ready != IsReady(pod))
            {
                await SetStatusAsync(pod, "Running", ready);
            }
        }
    }

    private static bool IsReady(V1Pod pod) => pod.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    private V1Pod Find(string pod) => _observer.Pod(pod) ?? throw new InvalidOperationException($"no pod {pod}");

    private Task SetStatusAsync(
        V1Pod pod, string phase, bool ready, string? reason = null, string? message = null, JsonObject? container = null,
        string? address = null)
    {
        JsonObject status = new()
        {
            ["phase"] = phase,
            ["reason"] = reason,
            ["message"] = message,
            ["podIP"] = address,
            ["podIPs"] = address is null ? null : new JsonArray(new JsonObject { ["ip"] = address }),
            ["conditions"] = new JsonArray(Condition("PodScheduled", "True"), Condition("Ready", ready ? "True" : "False")),
            ["containerStatuses"] = new JsonArray(container ?? Container(ready, restarts: 0, new JsonObject())),
        };
        return _client.PatchAsync<V1Pod>(
            pod.Metadata.NamespaceProperty, pod.Metadata.Name, PatchType.Merge, new JsonObject { ["status"] = status }, "status",
            _stop.Token);
    }

    private static JsonObject Container(bool ready, int restarts, JsonObject rest)
    {
        rest["name"] = "worker";
        rest["image"] = "worker:test";
        rest["imageID"] = "";
        rest["ready"] = ready;
        rest["restartCount"] = restarts;
        return rest;
    }

    private static JsonObject Condition(string type, string status) => new() { ["type"] = type, ["status"] = status };
}
