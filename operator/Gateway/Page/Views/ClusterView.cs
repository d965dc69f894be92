using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Gateway.Page.Views;

/// <summary>The state of the cluster as the page shows it. Pure: the same objects, the same view, in the same order.</summary>
/// <param name="Events">The latest ones, newest first.</param>
internal sealed record ClusterView(
    IReadOnlyList<NodeView> Nodes, IReadOnlyList<DeploymentView> Deployments, IReadOnlyList<EventView> Events)
{
    public const int MostEvents = 60;

    /// <param name="pods">Worker pods of any deployment, in any state.</param>
    /// <param name="nodes">Any; those without GPUs and without worker pods are left out.</param>
    public static ClusterView From(
        IEnumerable<ModelDeployment> deployments, IEnumerable<V1Pod> pods, IEnumerable<V1Node> nodes, IEnumerable<Corev1Event> events)
    {
        List<Replica> replicas = [.. pods.Select(pod => Replica.Of(pod))];
        var byNode = replicas.Where(r => r.Node is not null).ToLookup(r => r.Node!, StringComparer.Ordinal);
        var byOwner = replicas.Where(r => r.OwnerUid is not null).ToLookup(r => r.OwnerUid!, StringComparer.Ordinal);
        return new ClusterView(
            [.. nodes.Select(node => new GpuNode(node))
                .Where(node => node.Gpus.Count > 0 || node.Problem is not null || byNode.Contains(node.Name))
                .OrderBy(node => node.Name, StringComparer.Ordinal)
                .Select(node => NodeView.From(node, [.. byNode[node.Name]]))],
            [.. deployments.OrderBy(d => d.Metadata.NamespaceProperty, StringComparer.Ordinal)
                .ThenBy(d => d.Metadata.Name, StringComparer.Ordinal)
                .Select(d => DeploymentView.From(d, [.. byOwner[d.Metadata.Uid ?? ""]]))],
            [.. events.Select(EventView.From).OrderByDescending(e => e.Last).ThenBy(e => e.Id, StringComparer.Ordinal).Take(MostEvents)]);
    }
}
