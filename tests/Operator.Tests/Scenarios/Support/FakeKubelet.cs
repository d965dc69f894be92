using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Scheduler and kubelets of a test's nodes, by nothing but the HTTP API: binds pods to the node they are pinned to, says
/// that they run, and confirms their end. Tests tell it to hold back, to crash or to lose a node.</summary>
internal sealed class FakeKubelet : IAsyncDisposable
{
    private readonly KubernetesClient client;
    private readonly ClusterObserver observer;
    private readonly CancellationTokenSource stop = new();
    private readonly Channel<string> work = Channel.CreateUnbounded<string>();
    private readonly ConcurrentDictionary<string, bool> lostNodes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> broken = new(StringComparer.Ordinal);

    /// <summary>Held while a pod is looked at and told of: what a test does to a pod must not be overwritten by what was seen before.</summary>
    private readonly SemaphoreSlim turn = new(1);

    private readonly Task working;

    public FakeKubelet(KubernetesClient client, ClusterObserver observer)
    {
        this.client = client;
        this.observer = observer;
        observer.OnPod = pod => work.Writer.TryWrite(pod.Metadata.Name);
        working = Task.Run(WorkAsync);
    }

    /// <summary>Which pods pass their readiness probe. After a change call <see cref="LookAgain"/>.</summary>
    public Func<V1Pod, bool> BecomesReady { get; set; } = _ => true;

    /// <summary>Which pods end when they are told to.</summary>
    public Func<V1Pod, bool> Ends { get; set; } = _ => true;

    public void LookAgain()
    {
        foreach (V1Pod pod in observer.Pods)
        {
            work.Writer.TryWrite(pod.Metadata.Name);
        }
    }

    /// <summary>The worker exits again and again; its last words are what the container log ended with.</summary>
    public Task CrashAsync(string pod, string lastWords, int exitCode = 1) => InTurnAsync(() =>
    {
        broken[pod] = true;
        return SetStatusAsync(Find(pod), "Running", ready: false, container: Container(ready: false, restarts: 3, new JsonObject
        {
            ["state"] = new JsonObject { ["waiting"] = new JsonObject { ["reason"] = "CrashLoopBackOff", ["message"] = "back-off 40s restarting failed container" } },
            ["lastState"] = new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = exitCode, ["reason"] = "Error", ["message"] = lastWords } },
        }));
    });

    /// <summary>The worker came up after all.</summary>
    public Task RecoverAsync(string pod) => InTurnAsync(() =>
    {
        broken.TryRemove(pod, out _);
        return SetStatusAsync(Find(pod), "Running", ready: true);
    });

    /// <summary>What a kubelet under memory or disk pressure does.</summary>
    public Task EvictAsync(string pod) => InTurnAsync(() =>
    {
        broken[pod] = true;
        return SetStatusAsync(Find(pod), "Failed", ready: false, reason: "Evicted", message: "The node was low on resource: memory.");
    });

    /// <summary>The machine falls silent: its kubelet acts no more, and the node controller (absent in tests) marks node and pods.</summary>
    public Task LoseNodeAsync(string node) => InTurnAsync(async () =>
    {
        lostNodes[node] = true;
        await SetNodeReadyAsync(node, "Unknown");
        foreach (V1Pod pod in observer.Pods.Where(p => p.Spec.NodeName == node && p.Metadata.DeletionTimestamp is null))
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
        lostNodes.TryRemove(node, out _);
        await SetNodeReadyAsync(node, "True");
        LookAgain();
    }

    public Task SetNodeReadyAsync(string node, string status) => client.PatchAsync<V1Node>(
        null, node, PatchType.Merge, new JsonObject { ["status"] = new JsonObject { ["conditions"] = new JsonArray(Condition("Ready", status)) } }, "status", stop.Token);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await working;
        stop.Dispose();
        turn.Dispose();
    }

    private async Task InTurnAsync(Func<Task> act)
    {
        await turn.WaitAsync(stop.Token);
        try
        {
            await act();
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task WorkAsync()
    {
        try
        {
            await foreach (string name in work.Reader.ReadAllAsync(stop.Token))
            {
                try
                {
                    if (observer.Pod(name) is { } pod)
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
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The test is over.
        }
    }

    private async Task ActAsync(V1Pod pod)
    {
        string? node = pod.Spec.NodeName ?? pod.GetAnnotation(ApiNames.GpuNodeAnnotation);
        if (node is null || lostNodes.ContainsKey(node))
        {
            return;
        }

        if (pod.Metadata.DeletionTimestamp is not null)
        {
            if (Ends(pod))
            {
                await client.DeleteAsync<V1Pod>(pod.Metadata.NamespaceProperty, pod.Metadata.Name, pod.Metadata.Uid, gracePeriodSeconds: 0, stop.Token);
            }
        }
        else if (pod.Spec.NodeName is null)
        {
            if ((await client.GetAsync<V1Node>(null, node, stop.Token)).Spec.Unschedulable != true)
            {
                await client.BindAsync(pod.Metadata.NamespaceProperty!, pod.Metadata.Name, node, stop.Token);
            }
        }
        else if (pod.Status?.Phase is "Pending" or "Running" && !broken.ContainsKey(pod.Metadata.Name))
        {
            bool ready = BecomesReady(pod);
            if (pod.Status.Phase == "Pending" || ready != IsReady(pod))
            {
                await SetStatusAsync(pod, "Running", ready);
            }
        }
    }

    private static bool IsReady(V1Pod pod) => pod.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    private V1Pod Find(string pod) => observer.Pod(pod) ?? throw new InvalidOperationException($"no pod {pod}");

    private Task SetStatusAsync(V1Pod pod, string phase, bool ready, string? reason = null, string? message = null, JsonObject? container = null)
    {
        JsonObject status = new()
        {
            ["phase"] = phase,
            ["reason"] = reason,
            ["message"] = message,
            ["conditions"] = new JsonArray(Condition("PodScheduled", "True"), Condition("Ready", ready ? "True" : "False")),
            ["containerStatuses"] = new JsonArray(container ?? Container(ready, restarts: 0, new JsonObject())),
        };
        return client.PatchAsync<V1Pod>(pod.Metadata.NamespaceProperty, pod.Metadata.Name, PatchType.Merge, new JsonObject { ["status"] = status }, "status", stop.Token);
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
