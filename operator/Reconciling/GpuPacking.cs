using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>Chooses GPUs for one replica: best fit, so that large groups stay whole for the replicas that need them. No I/O;
/// the same ledger gives the same choice.</summary>
/// <remarks>
/// <code>
/// 1. nodes the pod may go to (ready, not cordoned, selector, affinity, taints, no device plugin at work)
/// 2. their free GPUs in groups: by XGMI hive when the GPUs must share one, else the node
/// 3. the group with the fewest GPUs to spare; then the node with the fewest; then by name
/// 4. inside the group: the NUMA node with the fewest to spare that is enough, else the lowest indices
/// </code>
/// </remarks>
internal sealed class GpuPacking
{
    private readonly PlanRequest request;
    private readonly GpuLedger ledger;
    private readonly Dictionary<string, string?> judged = new(StringComparer.Ordinal);

    public GpuPacking(PlanRequest request, GpuLedger ledger)
    {
        this.request = request;
        this.ledger = ledger;
    }

    /// <returns>Null when no group of free GPUs is large enough.</returns>
    public GpuPlacement? Find() =>
        ledger.FreeGroups(SharesHive, request.GroupSize).FirstOrDefault(g => Refusal(g.Node) is null) is { } best
            ? new GpuPlacement(best.Node.Name, Choose(best.Gpus), best.Node.Gpus.Count, best.Node.UuidsAreUnique)
            : null;

    /// <summary>Why <see cref="Find"/> finds nothing.</summary>
    public Shortage Explain()
    {
        ILookup<bool, GpuNode> usable = ledger.Nodes.Where(n => n.Gpus.Count > 0 || n.Problem is not null).ToLookup(n => Refusal(n) is null);
        List<GpuNode> candidates = [.. usable[true]];
        List<string> refusals = [.. usable[false].Select(n => $"{n.Name} ({Refusal(n)})")];
        string skipped = refusals.Count == 0 ? "" : $"; not usable: {string.Join(", ", refusals.Take(3))}{(refusals.Count > 3 ? $" and {refusals.Count - 3} more" : "")}";
        if (candidates.Count == 0)
        {
            return new Shortage(
                Shortage.NoGpuNodes,
                refusals.Count == 0
                    ? $"no node carries the annotation {ApiNames.NodeGpusAnnotation}; is the node agent running?"
                    : $"no node with GPUs can be used{skipped}");
        }

        string needs = $"needs {Count(request.GroupSize)} on one node{(SharesHive ? " in one XGMI hive" : "")}";
        GpuGroup? largest = candidates.SelectMany(n => n.FreeGroups(SharesHive)).OrderByDescending(g => g.Gpus.Count).ThenBy(g => g.Node.Name, StringComparer.Ordinal).FirstOrDefault();
        string found = largest is null
            ? $"no GPU is free on {(candidates.Count == 1 ? $"node {candidates[0].Name} (0 free of {candidates[0].Gpus.Count})" : $"any of {candidates.Count} nodes")}"
            : $"the largest free group is {largest.Gpus.Count} (node {largest.Node.Name}: {largest.NodeFree} free of {largest.Node.Gpus.Count})";
        bool hiveIsAll = SharesHive && candidates.Exists(n => n.FreeCount >= request.GroupSize);
        return new Shortage(
            Shortage.InsufficientGpus,
            $"{needs}; {found}{(hiveIsAll ? "; gpu.requireSameHive: false would allow GPUs of different hives" : "")}{skipped}");
    }

    private static string Count(int gpus) => gpus == 1 ? "1 GPU" : $"{gpus} GPUs";

    private bool SharesHive => request.Gpu.RequireSameHive && request.GroupSize > 1;

    private List<GpuDevice> Choose(IReadOnlyList<GpuDevice> group)
    {
        IReadOnlyList<GpuDevice> from = group
            .GroupBy(g => g.NumaNode)
            .Select(g => g.ToList())
            .Where(g => g.Count >= request.GroupSize)
            .OrderBy(g => g.Count)
            .ThenBy(g => g[0].Index)
            .FirstOrDefault() ?? group;
        return from.Take(request.GroupSize).ToList();
    }

    private string? Refusal(GpuNode node)
    {
        if (!judged.TryGetValue(node.Name, out string? reason))
        {
            judged[node.Name] = reason = Judge(node);
        }

        return reason;
    }

    private string? Judge(GpuNode node)
    {
        if (node.Problem is not null)
        {
            return node.Problem;
        }

        string resource = request.Gpu.ResourceName;
        return node.Node.Status?.Allocatable?.GetValueOrDefault(resource) is { } count && count != "0"
            ? $"its device plugin hands out {resource}: the kubelet would book the same GPUs again"
            : request.Requirements.Refusal(node.Node);
    }
}
