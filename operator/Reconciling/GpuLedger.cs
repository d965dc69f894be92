using Cluster.Operator.Controller;
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
    private readonly Dictionary<string, GpuNode> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<NamespacedName, Replica>> _claims = new(StringComparer.Ordinal);
    private readonly Dictionary<NamespacedName, Replica> _holders = [];
    private readonly Dictionary<string, List<int>> _bookings = new(StringComparer.Ordinal);
    private readonly SortedSet<GpuGroup> _freeByHive = new(GpuGroup.BestFit);
    private readonly SortedSet<GpuGroup> _freeByNode = new(GpuGroup.BestFit);
    private readonly NodeRoom _room;
    private readonly List<(string Node, NodeResources Asks)> _roomBooked = [];
    private readonly HashSet<string> _conflicts = new(StringComparer.Ordinal);
    private IReadOnlyList<GpuNode>? _sorted;

    /// <param name="pods">Every pod of the cluster that may hold GPUs, whoever owns it.</param>
    public GpuLedger(IEnumerable<V1Node> nodes, IEnumerable<Replica> pods)
    {
        _room = new NodeRoom(node => _byName.TryGetValue(node, out var known) && known.Gpus.Count > 0);
        foreach (var node in nodes)
        {
            Put(node);
        }

        foreach (var pod in pods)
        {
            Put(pod);
        }
    }

    /// <summary>By name; also nodes without GPUs.</summary>
    public IReadOnlyList<GpuNode> Nodes => _sorted ??= [.. _byName.Values.OrderBy(n => n.Name, StringComparer.Ordinal)];

    /// <summary>Pods that claim a GPU an older pod holds, by node. The operator never makes one; a person with <c>kubectl</c>
    /// can.</summary>
    public IEnumerable<Replica> DoubleBooked => _conflicts.Order(StringComparer.Ordinal).SelectMany(n => _byName[n].DoubleBooked);

    /// <summary>Free GPUs of all nodes, whether new pods may go there or not.</summary>
    public int FreeCount { get; private set; }

    public GpuNode? Find(string node) => _byName.GetValueOrDefault(node);

    /// <summary>Groups of free GPUs of at least this size, the best fit first: class by class, and in each the groups that have
    /// so many GPUs on one NUMA node before the others. Lazy: the one who books must stop reading.</summary>
    /// <param name="byHive">A group is the free GPUs of one XGMI hive; else of one node.</param>
    public IEnumerable<GpuGroup> FreeGroups(bool byHive, int atLeast)
    {
        var free = byHive ? _freeByHive : _freeByNode;
        var last = free.Max?.Class ?? -1;
        for (var c = GpuGroup.ClassOf(atLeast); c <= last; c++)
        {
            var any = free.Max!;
            (var start, var oneNumaNode, var end) = (any.Mark(c, 0), any.Mark(c, atLeast), any.Mark(c, int.MaxValue));
            foreach (var group in free.GetViewBetween(oneNumaNode, end))
            {
                yield return group;
            }

            foreach (var group in free.GetViewBetween(start, oneNumaNode).Where(g => g.Size >= atLeast))
            {
                yield return group;
            }
        }
    }

    /// <summary>The node is as given now, new or not.</summary>
    public void Put(V1Node node)
    {
        var name = node.Metadata.Name;
        var before = _byName.GetValueOrDefault(name);
        Withdraw(before);
        GpuNode now = new(node, before);
        _byName[name] = now;
        _sorted = null;
        Offer(now);
    }

    public void RemoveNode(string name)
    {
        if (_byName.Remove(name, out var gone))
        {
            Withdraw(gone);
            _sorted = null;
        }
    }

    /// <summary>The pod is as given now, new or not. One that holds no GPUs takes room all the same.</summary>
    public void Put(Replica pod)
    {
        var key = NamespacedName.Of(pod.Pod);
        var left = Release(key);
        if (pod.HoldsGpus)
        {
            _holders[key] = pod;
            if (!_claims.TryGetValue(pod.Node!, out var here))
            {
                _claims[pod.Node!] = here = [];
            }

            here[key] = pod;
        }

        Rebook(left);
        Rebook(pod.HoldsGpus && pod.Node != left ? pod.Node : null);

        _room.Put(pod);
    }

    /// <summary>How often a pod gave up CPUs, memory and the like on a node with GPUs.</summary>
    public long RoomGiven => _room.Given;

    public void RemovePod(NamespacedName key)
    {
        _room.Remove(key);
        Rebook(Release(key));
    }

    /// <summary>What keeps a pod that asks for so much from a node, in a few words; null when it has room.</summary>
    public string? Lacks(GpuNode node, NodeResources asks) => _room.Left(node)?.Lacks(asks);

    /// <exception cref="InvalidOperationException">A GPU of the placement is held: the caller did not choose from
    /// <see cref="FreeGroups"/>.</exception>
    public void Book(GpuPlacement placement, NodeResources asks = default)
    {
        if (!_byName[placement.Node].AreFree(placement.Indices))
        {
            throw new InvalidOperationException($"GPUs {string.Join(',', placement.Indices)} of node '{placement.Node}' are not all free");
        }

        if (!_bookings.TryGetValue(placement.Node, out var booked))
        {
            _bookings[placement.Node] = booked = [];
        }

        booked.AddRange(placement.Indices);
        _room.Add(placement.Node, asks);
        _roomBooked.Add((placement.Node, asks));
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
            List<string> booked = [.. _bookings.Keys];
            _bookings.Clear();
            foreach (var (node, asks) in _roomBooked)
            {
                _room.Add(node, default(NodeResources) - asks);
            }

            _roomBooked.Clear();
            booked.ForEach(Rebook);
        }
    }

    /// <summary>Runs <paramref name="decide"/> on the ledger as it would be if these pods were gone.</summary>
    public T Without<T>(IEnumerable<Replica> pods, Func<GpuLedger, T> decide)
    {
        List<Replica> gone = [.. pods.Select(p => _holders.GetValueOrDefault(NamespacedName.Of(p.Pod))).OfType<Replica>()];
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
        if (!_holders.Remove(key, out var before))
        {
            return null;
        }

        var there = _claims[before.Node!];
        there.Remove(key);
        if (there.Count == 0)
        {
            _claims.Remove(before.Node!);
        }

        return before.Node;
    }

    private void Rebook(string? name)
    {
        if (name is not null && _byName.TryGetValue(name, out var node))
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
            _freeByHive.ExceptWith(node.FreeGroups(byHive: true));
            _freeByNode.ExceptWith(node.FreeGroups(byHive: false));
            _conflicts.Remove(node.Name);
        }
    }

    private void Offer(GpuNode node)
    {
        node.Book(_claims.TryGetValue(node.Name, out var here) ? here.Values : [], _bookings.GetValueOrDefault(node.Name) ?? []);
        FreeCount += node.FreeCount;
        _freeByHive.UnionWith(node.FreeGroups(byHive: true));
        _freeByNode.UnionWith(node.FreeGroups(byHive: false));
        if (node.DoubleBooked.Count > 0)
        {
            _conflicts.Add(node.Name);
        }
    }
}
