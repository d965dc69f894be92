using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Reconciling;

/// <summary>Chooses GPUs for one deployment's replicas: best fit, so that large groups stay whole for the replicas that need
/// them. No I/O; the same ledger gives the same choice. Called by <see cref="Planner"/>.</summary>
/// <remarks>
/// <code>
/// 1. nodes the pod may go to (ready, not cordoned, selector, affinity, taints, no device plugin at work but our own) that have CPUs,
///    memory, ephemeral storage and a place among their pods left for it
/// 2. their free GPUs in groups: by XGMI hive when the GPUs must share one, else the node; with deviceAccess Plugin those
///    that the kubelet has for pods
/// 3. with placement Spread, the nodes with the fewest replicas of this deployment
/// 4. the groups of the smallest class: the largest power of two of GPUs that fits. What is given up is then the least:
///    a replica of two breaks a group of three rather than a board of eight
/// 5. of those, the groups with enough GPUs on one NUMA node, and there the one whose largest NUMA node is smallest
/// 6. the group with the fewest GPUs to spare; then the node with the fewest; then by name
/// 7. inside the group: the NUMA node with the fewest to spare that is enough, else the lowest indices
/// </code>
/// 4 to 6 are the order of <see cref="GpuLedger.FreeGroups"/>.
/// </remarks>
internal sealed class GpuPacking
{
    private readonly PlanRequest _request;
    private readonly GpuLedger _ledger;
    private readonly Dictionary<string, string?> _judged = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _replicasOn;
    private bool _pluginRefused;
    private bool _pluginMissing;

    /// <param name="own">The deployment's replicas that stay, for <see cref="GpuPlacementPolicy.Spread"/>.</param>
    public GpuPacking(PlanRequest request, GpuLedger ledger, IEnumerable<Replica>? own = null)
    {
        _request = request;
        _ledger = ledger;
        _replicasOn = (own ?? []).Where(r => r.Node is not null).GroupBy(r => r.Node!, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
    }

    /// <returns>Null when no group of free GPUs is large enough.</returns>
    public GpuPlacement? Find()
    {
        GpuGroup? best = null;
        foreach (var group in Candidates())
        {
            best = best is null || Crowding(group) < Crowding(best) ? group : best;
            if (Crowding(best) == 0)
            {
                break;
            }
        }

        return best is null ? null : new GpuPlacement(best.Node.Name, Choose(best.Gpus), best.Node.Gpus.Count, best.Node.UuidsAreUnique);
    }

    /// <summary>Every node with GPUs: first those that <see cref="Find"/> can take, in the order in which it prefers them, then the others
    /// by name.</summary>
    public IReadOnlyList<NodeVerdict> Verdicts()
    {
        // A stable sort: where the crowding is equal, what comes first is the better fit.
        List<NodeVerdict> found = [
            .. Candidates().OrderBy(Crowding).DistinctBy(g => g.Node.Name).Select(g => new NodeVerdict(g.Node, g, null))];
        var taken = found.Select(v => v.Node.Name).ToHashSet(StringComparer.Ordinal);
        return [
            .. found,
            .. _ledger.Nodes.Where(n => (n.Gpus.Count > 0 || n.Problem is not null) && !taken.Contains(n.Name))
                .Select(n => new NodeVerdict(n, null, Refusal(n) ?? TooFew(n) ?? Lacks(n) ?? "no group of its free GPUs fits"))];
    }

    /// <summary>Why <see cref="Find"/> takes one group rather than another: the first thing in which they differ.</summary>
    public string Preference(GpuGroup chosen, GpuGroup other)
    {
        var (there, size) = (other.Node.Name, _request.GroupSize);
        return (_request.Avoided.Contains(chosen.Node.Name), _request.Avoided.Contains(there)) is (false, true)
                ? $"{there} did not get a pod of this deployment lately"
            : Crowding(chosen) != Crowding(other)
                ? $"it has fewer replicas of this deployment ({_replicasOn.GetValueOrDefault(chosen.Node.Name)}) than {there} "
                    + $"({_replicasOn.GetValueOrDefault(there)})"
            : chosen.Class != other.Class
                ? $"a free group of {chosen.Size} is broken there, and one of {other.Size} on {there} stays whole"
            : chosen.LargestNumaNode >= size != other.LargestNumaNode >= size
                ? $"{Count(size)} {(size == 1 ? "is" : "are")} free on one NUMA node there, and not on {there}"
            : chosen.LargestNumaNode != other.LargestNumaNode
                ? $"its NUMA nodes have fewer free GPUs (at most {chosen.LargestNumaNode}) than those of {there} "
                    + $"({other.LargestNumaNode}), which stay whole"
            : chosen.Size != other.Size ? $"fewer GPUs are left over ({chosen.Size - size}) than on {there} ({other.Size - size})"
            : chosen.NodeFree != other.NodeFree
                ? $"its node has fewer free GPUs ({chosen.NodeFree}) than {there} ({other.NodeFree})"
            : $"{there} fits as well, and the name comes later";
    }

    /// <summary><see cref="Find"/>, and books it.</summary>
    public GpuPlacement? Take()
    {
        var placement = Find();
        if (placement is not null)
        {
            _ledger.Book(placement, _request.Asks);
            _replicasOn[placement.Node] = _replicasOn.GetValueOrDefault(placement.Node) + 1;
        }

        return placement;
    }

    /// <summary>Why <see cref="Find"/> finds nothing.</summary>
    public Shortage Explain()
    {
        var usable = _ledger.Nodes.Where(n => n.Gpus.Count > 0 || n.Problem is not null).ToLookup(n => Refusal(n) is null);
        List<GpuNode> candidates = [.. usable[true]];
        List<string> refused = [.. usable[false].Select(n => $"{n.Name} ({Refusal(n)})")];
        var skipped = refused.Count == 0
            ? ""
            : $"; not usable: {string.Join(", ", refused.Take(3))}{(refused.Count > 3 ? $" and {refused.Count - 3} more" : "")}";
        if (candidates.Count == 0)
        {
            return refused.Count == 0
                ? new Shortage(
                    Shortage.NoGpuNodes, $"no node carries the annotation {ApiNames.NodeGpusAnnotation}; is the node agent running?")
                : new Shortage(
                    _pluginRefused ? Shortage.DevicePluginConflict
                    : _pluginMissing ? Shortage.DevicePluginNotReady
                    : Shortage.NoGpuNodes,
                    $"no node with GPUs can be used{skipped}");
        }

        // With room enough there would be GPUs.
        List<GpuNode> full = [.. candidates.Where(
            n => n.FreeGroups(SharesHive).SelectMany(Obtainable).Any(g => g.Gpus.Count >= _request.GroupSize) && Lacks(n) is not null)];
        if (full.Count > 0)
        {
            return new Shortage(
                Shortage.InsufficientResources,
                $"the nodes with {Count(_request.GroupSize)} free have no room for the pod: "
                + string.Join(", ", full.Take(3).Select(n => $"{n.Name} ({Lacks(n)})"))
                + (full.Count > 3 ? $" and {full.Count - 3} more" : "") + skipped);
        }

        var needs = $"needs {Count(_request.GroupSize)} on one node{(SharesHive ? " in one XGMI hive" : "")}";
        var largest = candidates.SelectMany(n => n.FreeGroups(SharesHive)).SelectMany(Obtainable).OrderByDescending(g => g.Gpus.Count)
            .ThenBy(g => g.Node.Name, StringComparer.Ordinal).FirstOrDefault();
        var everywhere = candidates is [var only] ? $"node {only.Name} (0 free of {only.Gpus.Count})" : $"any of {candidates.Count} nodes";
        var found = largest is null
            ? $"no GPU is free on {everywhere}"
            : $"the largest free group is {largest.Gpus.Count} (node {largest.Node.Name}: {largest.NodeFree} free of "
                + $"{largest.Node.Gpus.Count})";
        var hiveIsAll = SharesHive && candidates.Exists(n => n.FreeCount >= _request.GroupSize);
        var most = candidates.Max(n => n.LargestGroup(SharesHive));
        var hint = hiveIsAll ? "; gpu.requireSameHive: false would allow GPUs of different hives"
            : most < _request.GroupSize
                ? $"; even an empty node has at most {most}, so a tensorParallelSize of {_request.GroupSize} cannot be placed here"
            : "";
        return new Shortage(Shortage.InsufficientGpus, $"{needs}; {found}{hint}{Marks(candidates)}{skipped}");
    }

    /// <summary>The groups that a replica can have, best fit first. Lazy: the one who books must stop reading.</summary>
    private IEnumerable<GpuGroup> Candidates() => _ledger.FreeGroups(SharesHive, _request.GroupSize)
        .Where(g => Refusal(g.Node) is null && Lacks(g.Node) is null).SelectMany(Obtainable).Where(g => g.Size >= _request.GroupSize);

    private string? TooFew(GpuNode node)
    {
        var most = node.FreeGroups(SharesHive).SelectMany(Obtainable).Select(g => g.Gpus.Count).DefaultIfEmpty().Max();
        return most >= _request.GroupSize ? null
            : SharesHive && node.FreeCount >= _request.GroupSize
                ? $"{node.FreeCount} of {Count(node.Gpus.Count)} free, at most {most} of them in one XGMI hive"
            : most < node.FreeCount ? $"{node.FreeCount} of {Count(node.Gpus.Count)} free, of which its kubelet has {most} for pods"
            : $"{node.FreeCount} of {Count(node.Gpus.Count)} free";
    }

    private static string Marks(List<GpuNode> nodes)
    {
        List<string> marked = [
            .. nodes.Where(n => n.Marked.Count > 0)
                .Select(n => $"{(n.Marked.Count == 1 ? "GPU" : "GPUs")} {string.Join(',', n.Marked.Order())} of node {n.Name}")];
        var more = marked.Count > 3 ? $" and {marked.Count - 3} more" : "";
        return marked.Count == 0 ? "" : $"; left out for wrong results: {string.Join(", ", marked.Take(3))}{more}";
    }

    private bool IsPlugin => _request.Gpu.DeviceAccess == DeviceAccess.Plugin;

    /// <summary>What of the group the kubelet hands out: not a GPU that its plugin calls unhealthy, or has not offered yet.</summary>
    /// <returns>One group or none.</returns>
    private IEnumerable<GpuGroup> Obtainable(GpuGroup group)
    {
        if (!IsPlugin)
        {
            return [group];
        }

        List<GpuDevice> offered = [.. group.Gpus.Where(group.Node.IsOffered)];
        return offered.Count == group.Gpus.Count ? [group]
            : offered.Count > 0 ? [new GpuGroup(group.Node, offered, group.NodeFree)]
            : [];
    }

    private static string Count(int gpus) => gpus == 1 ? "1 GPU" : $"{gpus} GPUs";

    private string? Lacks(GpuNode node) => _ledger.Lacks(node, _request.Asks);

    private bool SharesHive => _request.Gpu.RequireSameHive && _request.GroupSize > 1;

    /// <summary>What speaks against a group before its fit does.</summary>
    private int Crowding(GpuGroup group) =>
        (_request.Avoided.Contains(group.Node.Name) ? int.MaxValue / 2 : 0)
        + (_request.Gpu.Placement == GpuPlacementPolicy.Spread ? _replicasOn.GetValueOrDefault(group.Node.Name) : 0);

    private List<GpuDevice> Choose(IReadOnlyList<GpuDevice> group)
    {
        var from = group
            .GroupBy(g => g.NumaNode)
            .Select(g => g.ToList())
            .Where(g => g.Count >= _request.GroupSize)
            .OrderBy(g => g.Count)
            .ThenBy(g => g[0].Index)
            .FirstOrDefault() ?? group;
        return from.Take(_request.GroupSize).ToList();
    }

    private string? Refusal(GpuNode node)
    {
        if (!_judged.TryGetValue(node.Name, out var reason))
        {
            _judged[node.Name] = reason = Judge(node);
        }

        return reason;
    }

    private string? Judge(GpuNode node)
    {
        if (node.Problem is not null)
        {
            return node.Problem;
        }

        if (_request.Unfilled.Contains(node.Name))
        {
            return "its cache is not filled yet";
        }

        if (DevicePluginResource(node) is { } resource)
        {
            _pluginRefused = true;
            return $"its device plugin hands out {resource}: the kubelet would book the same GPUs again";
        }

        return _request.Requirements.Refusal(node.Node) ?? TooSmall(node) ?? PluginProblem(node);
    }

    private string? PluginProblem(GpuNode node)
    {
        var problem = IsPlugin ? node.PluginProblem : null;
        _pluginMissing |= problem is not null;
        return problem;
    }

    private string? TooSmall(GpuNode node) =>
        _request.LeastVramBytes is { } least && GpuClass.VramOf(node) is var vram && (vram ?? 0) < least
            ? $"its GPUs have {(vram is { } bytes ? ByteText.Of(bytes) : "an unknown amount of memory")}, and tensorParallelSize was "
                + $"chosen for {ByteText.Of(least)}"
            : null;

    /// <summary>The resource by which a device plugin hands out this node's GPUs: the deployment's, or the one for partitions
    /// of the same vendor (<c>amd.com/cpx_nps4</c>, which AMD's plugin uses with its mixed naming strategy).</summary>
    private string? DevicePluginResource(GpuNode node)
    {
        var name = _request.Gpu.ResourceName;
        var vendor = name[..(name.IndexOf('/', StringComparison.Ordinal) + 1)];
        return node.Node.Status?.Allocatable?
            .Where(r => r.Key == name || (r.Key.StartsWith(vendor, StringComparison.Ordinal) && IsPartition(r.Key.AsSpan(vendor.Length))))
            // The text of a quantity is dear, and every node is asked at every decision.
            .Where(r => r.Value.ToString() != "0")
            .Select(r => r.Key)
            .Order(StringComparer.Ordinal)
            .FirstOrDefault();
    }

    /// <summary><c>spx</c>, <c>dpx</c>, <c>tpx</c>, <c>qpx</c> or <c>cpx</c>, with or without <c>_npsN</c>.</summary>
    private static bool IsPartition(ReadOnlySpan<char> resource) =>
        resource.Length >= 3
            && resource[1..3] is "px"
            && "sdtqc".Contains(resource[0], StringComparison.Ordinal)
            && (resource.Length == 3 || resource[3] == '_');
}
