using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling;

/// <summary>What all pods of the cluster, whoever owns them, request of each node. Follows changes one by one, as
/// <see cref="GpuLedger"/> does, of which it is a part. A pod of ours counts from the moment it is decided on.</summary>
/// <param name="matters">Whether anybody waits for room on a node: on one without GPUs nobody does.</param>
internal sealed class NodeRoom(Func<string, bool> matters)
{
    private readonly Dictionary<NamespacedName, (string Node, NodeResources Asks)> _pods = [];
    private readonly Dictionary<string, NodeResources> _used = new(StringComparer.Ordinal);

    /// <summary>How often a pod gave up room that somebody may wait for.</summary>
    public long Given { get; private set; }

    /// <summary>The pod is as given now, new or not.</summary>
    public void Put(Replica pod)
    {
        var key = NamespacedName.Of(pod.Pod);
        var left = Take(key);
        if (pod is { Node: { } node, Finished: false })
        {
            var asks = NodeResources.Of(pod.Pod.Spec);
            _pods[key] = (node, asks);
            _used[node] = _used.GetValueOrDefault(node) + asks;
        }
        else
        {
            Give(left);
        }
    }

    public void Remove(NamespacedName key) => Give(Take(key));

    /// <summary>Counts what is to be created there; the one who takes it back subtracts.</summary>
    public void Add(string node, NodeResources asks) => _used[node] = _used.GetValueOrDefault(node) + asks;

    /// <summary>What of a node is left; null where the node does not say what it has.</summary>
    public NodeResources? Left(GpuNode node) => node.Capacity is { } all ? all - _used.GetValueOrDefault(node.Name) : null;

    private void Give(string? node)
    {
        if (node is not null && matters(node))
        {
            Given++;
        }
    }

    /// <returns>The node where it had room; null when it had none.</returns>
    private string? Take(NamespacedName key)
    {
        if (!_pods.Remove(key, out var before))
        {
            return null;
        }

        _used[before.Node] -= before.Asks;
        return before.Node;
    }
}
