using System.Collections.ObjectModel;
using System.Text.Json.Nodes;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>Binds a pod to the one node there is, if the pod's node selector and required node affinity allow it. The kube-scheduler of
/// local mode.</summary>
internal sealed class LocalScheduler
{
    private readonly IKubernetesClient _client;
    private readonly Func<string, string, string, CancellationToken, Task> _bind;
    private readonly string _node;
    private readonly ILogger _logger;
    private readonly Informer<V1Pod> _pods;
    private readonly Informer<V1Node> _nodes;

    /// <param name="bind">Posts a Binding: namespace, pod, node.</param>
    public LocalScheduler(
        IKubernetesClient client, Func<string, string, string, CancellationToken, Task> bind, string node, TimeProvider time,
        ILogger logger)
    {
        _client = client;
        _bind = bind;
        _node = node;
        _logger = logger;
        _pods = new Informer<V1Pod>(client, null, new Selection(FieldSelector: "spec.nodeName="), time, Random.Shared, logger);
        _nodes = new Informer<V1Node>(client, null, null, time, Random.Shared, logger);
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _pods.OnChange(change =>
        {
            if (change.Type == ChangeType.Added && change.Object.Metadata.DeletionTimestamp is null)
            {
                _ = ScheduleAsync(change.Object, cancellationToken);
            }
        });
        var watching = _nodes.RunAsync(cancellationToken);
        await _nodes.WhenSynced.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _pods.RunAsync(cancellationToken);
        await watching;
    }

    private async Task ScheduleAsync(V1Pod pod, CancellationToken cancellationToken)
    {
        try
        {
            var claims = pod.Spec.ResourceClaims is { Count: > 0 };
            if (!claims && _nodes.Store.Get(new NamespacedName("", _node)) is { } target && Matches(pod, target))
            {
                await _bind(pod.Metadata.NamespaceProperty!, pod.Metadata.Name, _node, cancellationToken);
                return;
            }

            var condition = new JsonObject
            {
                ["type"] = "PodScheduled",
                ["status"] = "False",
                ["reason"] = "Unschedulable",
                ["message"] = claims
                    ? "0/1 nodes are available: 1 cannot allocate all claims. Local mode has no DRA driver: use gpu.allocation Pinned."
                    : "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
            };
            await _client.PatchAsync<V1Pod>(
                pod.Metadata.NamespaceProperty, pod.Metadata.Name, PatchType.Merge,
                new JsonObject { ["status"] = new JsonObject { ["conditions"] = new JsonArray(condition) } }, "status", cancellationToken);
        }
        catch (Exception exception) when (exception is KubernetesException or HttpRequestException)
        {
            _logger.LogWarning(
                "pod {Namespace}/{Pod} not bound: {Message}", pod.Metadata.NamespaceProperty, pod.Metadata.Name, exception.Message);
        }
        catch (OperationCanceledException)
        {
            // Local mode is ending.
        }
    }

    private static bool Matches(V1Pod pod, V1Node node)
    {
        var labels = node.Metadata.Labels?.AsReadOnly() ?? ReadOnlyDictionary<string, string>.Empty;
        if (pod.Spec.NodeSelector is { } selector && selector.Any(pair => labels.GetValueOrDefault(pair.Key) != pair.Value))
        {
            return false;
        }

        var terms = KubernetesJson.ToJsonObject(
            pod)["spec"]?["affinity"]?["nodeAffinity"]?["requiredDuringSchedulingIgnoredDuringExecution"]?["nodeSelectorTerms"]
            as JsonArray;
        return terms is null || terms.OfType<JsonObject>().Any(term =>
            Expressions(term["matchFields"]).All(one => Holds(one, node.Metadata.Name)) &&
            Expressions(term["matchExpressions"]).All(one => Holds(one, labels.GetValueOrDefault((string?)one["key"] ?? ""))));
    }

    private static IEnumerable<JsonObject> Expressions(JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>();

    private static bool Holds(JsonObject expression, string? value)
    {
        var values = (expression["values"] as JsonArray ?? []).Select(item => (string?)item).ToList();
        return (string?)expression["operator"] switch
        {
            "In" => value is not null && values.Contains(value),
            "NotIn" => value is null || !values.Contains(value),
            "Exists" => value is not null,
            "DoesNotExist" => value is null,
            _ => false,
        };
    }
}
