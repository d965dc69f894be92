using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Which GPUs of which nodes are held, and an index of those that are free. It follows changes one by one at a cost
/// that does not depend on the size of the cluster, and equals at any time the ledger made anew from the same nodes and pods:
/// the cluster is the only memory. No I/O, no clock, not thread-safe: <see cref="Fleet"/> keeps the operator's.</summary>
/// <remarks>A pod holds its GPUs from the moment it is decided on until it is gone or finished; a terminating pod still runs.
/// <code>
/// claims:  node name ─► pods that hold GPUs there       also of nodes that are not there: one that comes back is booked at once
/// byName:  node name ─► GpuNode                         its bookings are made anew whenever one of its claims changes
/// free:    groups of free GPUs, best fit first          twice: a hive a group, and a node a group
/// </code></remarks>
internal sealed class GpuLedger
{
    private readonly Dictionary<string, GpuNode> byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<NamespacedName, Replica>> claims = new(StringComparer.Ordinal);
    private readonly Dictionary<NamespacedName, Replica> holders = [];
    private readonly Dictionary<string, List<int>> bookings = new(StringComparer.Ordinal);
    private readonly SortedSet<GpuGroup> freeByHive = new(GpuGroup.BestFit);
    private readonly SortedSet<GpuGroup> freeByNode = new(GpuGroup.BestFit);
    private readonly HashSet<string> conflicts = new(StringComparer.Ordinal);
    private IReadOnlyList<GpuNode>? sorted;

    /// <param name="pods">Every pod of the cluster that may hold GPUs, whoever owns it.</param>
    public GpuLedger(IEnumerable<V1Node> nodes, IEnumerable<Replica> pods)
    {
        foreach (V1Node node in nodes)
        {
            Put(node);
        }

        foreach (Replica pod in pods)
        {
            Put(pod);
        }
    }

    /// <summary>By name; also nodes without GPUs.</summary>
    public IReadOnlyList<GpuNode> Nodes => sorted ??= [.. byName.Values.OrderBy(n => n.Name, StringComparer.Ordinal)];

    /// <summary>Pods that claim a GPU an older pod holds, by node. The operator never makes one; a person with <c>kubectl</c> can.</summary>
    public IEnumerable<Replica> DoubleBooked => conflicts.Order(StringComparer.Ordinal).SelectMany(n => byName[n].DoubleBooked);

    /// <summary>Free GPUs of all nodes, whether new pods may go there or not.</summary>
    public int FreeCount { get; private set; }

    public GpuNode? Find(string node) => byName.GetValueOrDefault(node);

    /// <summary>Groups of free GPUs of at least this size, the best fit first: class by class, and in each the groups that have
    /// so many GPUs on one NUMA node before the others. Lazy: the one who books must stop reading.</summary>
    /// <param name="byHive">A group is the free GPUs of one XGMI hive; else of one node.</param>
    public IEnumerable<GpuGroup> FreeGroups(bool byHive, int atLeast)
    {
        SortedSet<GpuGroup> free = byHive ? freeByHive : freeByNode;
        int last = free.Max?.Class ?? -1;
        for (int c = GpuGroup.ClassOf(atLeast); c <= last; c++)
        {
            GpuGroup any = free.Max!;
            (GpuGroup start, GpuGroup oneNumaNode, GpuGroup end) = (any.Mark(c, 0), any.Mark(c, atLeast), any.Mark(c, int.MaxValue));
            foreach (GpuGroup group in free.GetViewBetween(oneNumaNode, end))
            {
                yield return group;
            }

            foreach (GpuGroup group in free.GetViewBetween(start, oneNumaNode).Where(g => g.Size >= atLeast))
            {
                yield return group;
            }
        }
    }

    /// <summary>The node is as given now, new or not.</summary>
    public void Put(V1Node node)
    {
        string name = node.Metadata.Name;
        GpuNode? before = byName.GetValueOrDefault(name);
        Withdraw(before);
        GpuNode now = new(node, before);
        byName[name] = now;
        sorted = null;
        Offer(now);
    }

    public void RemoveNode(string name)
    {
        if (byName.Remove(name, out GpuNode? gone))
        {
            Withdraw(gone);
            sorted = null;
        }
    }

    /// <summary>The pod is as given now, new or not.</summary>
    public void Put(Replica pod)
    {
        NamespacedName key = NamespacedName.Of(pod.Pod);
        string? left = Release(key);
        if (pod.HoldsGpus)
        {
            holders[key] = pod;
            if (!claims.TryGetValue(pod.Node!, out Dictionary<NamespacedName, Replica>? here))
            {
                claims[pod.Node!] = here = [];
            }

            here[key] = pod;
        }

        Rebook(left);
        Rebook(pod.HoldsGpus && pod.Node != left ? pod.Node : null);
    }

    public void RemovePod(NamespacedName key) => Rebook(Release(key));

    /// <exception cref="InvalidOperationException">A GPU of the placement is held: the caller did not choose from <see cref="FreeGroups"/>.</exception>
    public void Book(GpuPlacement placement)
    {
        if (!byName[placement.Node].AreFree(placement.Indices))
        {
            throw new InvalidOperationException($"GPUs {string.Join(',', placement.Indices)} of node '{placement.Node}' are not all free");
        }

        if (!bookings.TryGetValue(placement.Node, out List<int>? booked))
        {
            bookings[placement.Node] = booked = [];
        }

        booked.AddRange(placement.Indices);
        Rebook(placement.Node);
    }

    /// <summary>Runs <paramref name="decide"/> and takes back whatever it has booked: who acts on the decision puts the pods.</summary>
    public T Tentatively<T>(Func<GpuLedger, T> decide)
    {
        try
        {
            return decide(this);
        }
        finally
        {
            List<string> booked = [.. bookings.Keys];
            bookings.Clear();
            booked.ForEach(Rebook);
        }
    }

    /// <summary>Runs <paramref name="decide"/> on the ledger as it would be if these pods were gone.</summary>
    public T Without<T>(IEnumerable<Replica> pods, Func<GpuLedger, T> decide)
    {
        List<Replica> gone = [.. pods.Select(p => holders.GetValueOrDefault(NamespacedName.Of(p.Pod))).OfType<Replica>()];
        gone.ForEach(p => RemovePod(NamespacedName.Of(p.Pod)));
        try
        {
            return decide(this);
        }
        finally
        {
            gone.ForEach(Put);
        }
    }

    /// <returns>The node where it held GPUs; null when it held none.</returns>
    private string? Release(NamespacedName key)
    {
        if (!holders.Remove(key, out Replica? before))
        {
            return null;
        }

        Dictionary<NamespacedName, Replica> there = claims[before.Node!];
        there.Remove(key);
        if (there.Count == 0)
        {
            claims.Remove(before.Node!);
        }

        return before.Node;
    }

    private void Rebook(string? name)
    {
        if (name is not null && byName.TryGetValue(name, out GpuNode? node))
        {
            Withdraw(node);
            Offer(node);
        }
    }

    private void Withdraw(GpuNode? node)
    {
        if (node is not null)
        {
            FreeCount -= node.FreeCount;
            freeByHive.ExceptWith(node.FreeGroups(byHive: true));
            freeByNode.ExceptWith(node.FreeGroups(byHive: false));
            conflicts.Remove(node.Name);
        }
    }

    private void Offer(GpuNode node)
    {
        node.Book(claims.TryGetValue(node.Name, out Dictionary<NamespacedName, Replica>? here) ? here.Values : [], bookings.GetValueOrDefault(node.Name) ?? []);
        FreeCount += node.FreeCount;
        freeByHive.UnionWith(node.FreeGroups(byHive: true));
        freeByNode.UnionWith(node.FreeGroups(byHive: false));
        if (node.DoubleBooked.Count > 0)
        {
            conflicts.Add(node.Name);
        }
    }
}
