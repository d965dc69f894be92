using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling;

/// <summary>What all pods of the cluster, whoever owns them, request of each node. Follows changes one by one, as
/// <see cref="GpuLedger"/> does, of which it is a part. A pod of ours counts from the moment it is decided on.</summary>
internal sealed class NodeRoom
{
    private readonly Dictionary<NamespacedName, (string Node, NodeResources Asks)> _pods = [];
    private readonly Dictionary<string, NodeResources> _used = new(StringComparer.Ordinal);

    /// <summary>How often a pod gave up the room it had.</summary>
    public long Given { get; private set; }

    /// <summary>The pod is as given now, new or not.</summary>
    public void Put(Replica pod)
    {
        var key = NamespacedName.Of(pod.Pod);
        var hadRoom = Take(key);
        if (pod is { Node: { } node, Finished: false })
        {
            var asks = NodeResources.Of(pod.Pod.Spec);
            _pods[key] = (node, asks);
            _used[node] = _used.GetValueOrDefault(node) + asks;
        }
        else if (hadRoom)
        {
            Given++;
        }
    }

    public void Remove(NamespacedName key)
    {
        if (Take(key))
        {
            Given++;
        }
    }

    /// <summary>Counts what is to be created there; the one who takes it back subtracts.</summary>
    public void Add(string node, NodeResources asks) => _used[node] = _used.GetValueOrDefault(node) + asks;

    /// <summary>What of a node is left; null where the node does not say what it has.</summary>
    public NodeResources? Left(GpuNode node) => node.Capacity is { } all ? all - _used.GetValueOrDefault(node.Name) : null;

    private bool Take(NamespacedName key)
    {
        if (!_pods.Remove(key, out var before))
        {
            return false;
        }

        _used[before.Node] -= before.Asks;
        return true;
    }
}
