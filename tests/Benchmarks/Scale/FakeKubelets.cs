using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Benchmarks.Scale;

/// <summary>The scheduler and every kubelet at once: binds a pod to the node its GPUs are booked on, reports it running and ready, and
/// completes its deletion. All through the API, three writes a pod; nothing runs.</summary>
internal sealed class FakeKubelets : IAsyncDisposable
{
    private const int AtOnce = 16;

    private static readonly string Running = """
        {"status":{"phase":"Running","startTime":"2026-01-01T00:00:00Z",
         "conditions":[{"type":"Initialized","status":"True"},{"type":"Ready","status":"True"},{"type":"ContainersReady","status":"True"},{"type":"PodScheduled","status":"True"}],
         "containerStatuses":[{"name":"worker","ready":true,"restartCount":0,"started":true,"image":"worker:benchmark","imageID":"","state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}}}]}}
        """;

    private readonly KubernetesClient _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly Informer<V1Pod> _pods;
    private readonly Channel<V1Pod> _work = Channel.CreateUnbounded<V1Pod>();
    private readonly ConcurrentDictionary<string, V1Pod> _ready = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _vanished = new(StringComparer.Ordinal);
    private readonly Task _running;

    public FakeKubelets(KubernetesClient client)
    {
        _client = client;
        _pods = new Informer<V1Pod>(client, null, null, TimeProvider.System, Random.Shared, NullLogger.Instance);
        _pods.OnChange(OnChange);
        _running = Task.WhenAll([_pods.RunAsync(_stop.Token), .. Enumerable.Range(0, AtOnce).Select(_ => Task.Run(WorkAsync))]);
    }

    /// <summary>Pods that are ready, on nodes that exist.</summary>
    public int Ready => _ready.Count;

    /// <summary>From now on nobody answers for pods of this node.</summary>
    /// <returns>How many ready pods it had.</returns>
    public int Vanish(string node)
    {
        _vanished[node] = true;
        return _ready.Where(pod => pod.Value.Spec.NodeName == node).ToList().Count(pod => _ready.TryRemove(pod));
    }

    /// <summary>GPUs that two pods hold.</summary>
    public int SharedGpus() => _pods.Store.List()
        .SelectMany(
            pod => (Annotation(pod, ApiNames.GpuIndicesAnnotation) ?? "").Split(',')
                .Select(gpu => $"{Annotation(pod, ApiNames.GpuNodeAnnotation)}/{gpu}"))
        .GroupBy(gpu => gpu)
        .Count(gpu => gpu.Count() > 1);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _work.Writer.Complete();
        await _running;
        _stop.Dispose();
    }

    private static string? Annotation(V1Pod pod, string name) => pod.GetAnnotation(name);

    private void OnChange(ObjectChange<V1Pod> change)
    {
        var pod = change.Object;
        var isReady = change.Type != ChangeType.Deleted
            && pod.Metadata.DeletionTimestamp is null
            && pod.Status?.Conditions?.Any(condition => condition is { Type: "Ready", Status: "True" }) == true
            && !_vanished.ContainsKey(pod.Spec.NodeName ?? "");
        if (isReady)
        {
            _ready[pod.Metadata.Uid!] = pod;
            return;
        }

        _ready.TryRemove(pod.Metadata.Uid!, out _);
        if (change.Type != ChangeType.Deleted && !_vanished.ContainsKey(Annotation(pod, ApiNames.GpuNodeAnnotation) ?? ""))
        {
            _work.Writer.TryWrite(pod);
        }
    }

    private async Task WorkAsync()
    {
        var started = JsonNode.Parse(Running)!;
        await foreach (var pod in _work.Reader.ReadAllAsync())
        {
            try
            {
                await AdvanceAsync(pod, started);
            }
            catch (KubernetesException error) when (error.StatusCode is 404 or 409)
            {
                // Deleted, or done already because of an earlier change of the same pod.
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private Task AdvanceAsync(V1Pod pod, JsonNode started)
    {
        var (space, name) = (pod.Metadata.NamespaceProperty!, pod.Metadata.Name);
        return pod switch
        {
            { Metadata.DeletionTimestamp: not null } => _client.DeleteAsync<V1Pod>(space, name, pod.Metadata.Uid, 0, _stop.Token),
            { Spec.NodeName: null } when Annotation(pod, ApiNames.GpuNodeAnnotation) is { } node =>
                _client.BindAsync(space, name, node, _stop.Token),
            { Status.Phase: "Pending", Spec.NodeName: not null } =>
                _client.PatchAsync<V1Pod>(space, name, PatchType.Merge, started, "status", _stop.Token),
            _ => Task.CompletedTask,
        };
    }
}
