using System.Collections.Concurrent;
using Cluster.Operator.Controller;
using k8s.Models;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>The pods that are gateways, kept from the operator's watch of all pods. Handler of <see cref="OperatorHost"/>.</summary>
/// <param name="namespace">Where they are; null for none.</param>
internal sealed class GatewayPods(string? @namespace)
{
    private const string ComponentLabel = "app.kubernetes.io/component";
    private const string Component = "gateway";

    private readonly ConcurrentDictionary<string, V1Pod> _pods = new(StringComparer.Ordinal);

    public void Observe(ObjectChange<V1Pod> change)
    {
        var pod = change.Object;
        if (@namespace is null || pod.Metadata.NamespaceProperty != @namespace)
        {
            return;
        }

        if (change.Type == ChangeType.Deleted || pod.GetLabel(ComponentLabel) != Component || pod.Status?.Phase is "Succeeded" or "Failed")
        {
            _pods.TryRemove(pod.Metadata.Name, out _);
        }
        else
        {
            _pods[pod.Metadata.Name] = pod;
        }
    }

    /// <summary>Those that may have requests, with their addresses: one that has never been ready has none, and one that ends may still
    /// finish some.</summary>
    public IReadOnlyList<(string Name, string Address)> Serving() =>
    [
        .. _pods.Values
            .Where(p => p.Status?.PodIP is not null && (p.Metadata.DeletionTimestamp is not null || IsReady(p)))
            .OrderBy(p => p.Metadata.Name, StringComparer.Ordinal)
            .Select(p => (p.Metadata.Name, p.Status!.PodIP!)),
    ];

    private static bool IsReady(V1Pod pod) => pod.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;
}
