using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>Which GPUs of which nodes are held, rebuilt from the nodes' and pods' annotations each time it is needed: the
/// cluster is the only memory. No I/O, no clock.</summary>
/// <remarks>A pod holds its GPUs from the moment it is decided on until it is gone or finished; a terminating pod still runs.</remarks>
internal sealed class GpuLedger
{
    private readonly IReadOnlyList<Node> nodes;
    private readonly IReadOnlyList<Replica> pods;
    private readonly Dictionary<string, GpuNode> byName;

    /// <param name="pods">Every pod of the cluster that may hold GPUs, whoever owns it.</param>
    public GpuLedger(IEnumerable<Node> nodes, IEnumerable<Replica> pods)
    {
        this.nodes = [.. nodes];
        this.pods = [.. pods];
        Nodes = [.. this.nodes.Select(n => new GpuNode(n)).OrderBy(n => n.Name, StringComparer.Ordinal)];
        byName = Nodes.ToDictionary(n => n.Name, StringComparer.Ordinal);
        List<Replica> doubleBooked = [];

        // Oldest first: should two pods ever claim one GPU, the one that was there first keeps it.
        foreach (Replica pod in this.pods.Where(p => p.HoldsGpus).OrderBy(p => p.Created).ThenBy(p => p.Name, StringComparer.Ordinal))
        {
            if (!byName.TryGetValue(pod.Node!, out GpuNode? node))
            {
                continue;
            }

            if (pod.HoldsWholeNode)
            {
                node.BookWhole();
            }
            else if (!node.Book(pod.Gpus))
            {
                doubleBooked.Add(pod);
            }
        }

        DoubleBooked = doubleBooked;
    }

    /// <summary>By name; also nodes without GPUs.</summary>
    public IReadOnlyList<GpuNode> Nodes { get; }

    /// <summary>Pods that claim a GPU an older pod holds. The operator never makes one; a person with <c>kubectl</c> can.</summary>
    public IReadOnlyList<Replica> DoubleBooked { get; }

    public GpuNode? Find(string node) => byName.GetValueOrDefault(node);

    /// <exception cref="InvalidOperationException">A GPU of the placement is held: the caller did not choose from <see cref="GpuNode.Free"/>.</exception>
    public void Book(GpuPlacement placement)
    {
        GpuNode node = byName[placement.Node];
        if (!node.AreFree(placement.Indices))
        {
            throw new InvalidOperationException($"GPUs {string.Join(',', placement.Indices)} of node '{placement.Node}' are not all free");
        }

        node.Book(placement.Indices);
    }

    /// <summary>The ledger as it would be if these pods were gone.</summary>
    public GpuLedger Without(Func<Replica, bool> isGone) => new(nodes, pods.Where(p => !isGone(p)));
}
