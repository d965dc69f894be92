using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Gateway.Page.Views;

/// <summary>A node with its GPUs.</summary>
/// <param name="Words">How it is, in a sentence.</param>
/// <param name="Summary">What GPUs it has: "8 × MI300X, 192 GiB each".</param>
/// <param name="Guests">Replicas here that hold no GPU we know of: the kubelet or a DRA driver chose theirs.</param>
internal sealed record NodeView(
    string Name, bool Ready, string Words, string Summary, int Free, bool Simulated, IReadOnlyList<HiveView> Hives,
    IReadOnlyList<string> Guests)
{
    /// <param name="here">Worker pods on the node.</param>
    public static NodeView From(GpuNode node, IReadOnlyList<Replica> here)
    {
        Dictionary<int, Replica> holders = [];
        foreach (var pod in here.Where(p => p.HoldsGpus).OrderByDescending(p => p.Created))
        {
            // Oldest last: as in the ledger, who was there first keeps a GPU that two claim.
            foreach (var gpu in pod.HoldsWholeNode ? node.Gpus : node.HeldBy(pod))
            {
                holders[gpu.Index] = pod;
            }
        }

        var hasPlugin = node.PluginProblem is null;
        List<HiveView> hives = [
            .. node.Gpus.GroupBy(gpu => gpu.Hive is { Length: > 0 } hive && hive != "0" ? hive : null)
                .OrderBy(hive => hive.Min(gpu => gpu.Index))
                .Select(hive => new HiveView(hive.Key, [.. hive.Select(TileOf)]))];
        var ready = IsReady(node);
        return new NodeView(
            node.Name, ready, WordsOf(node, ready), SummaryOf(node.Gpus),
            hives.Sum(hive => hive.Gpus.Count(gpu => gpu.State == GpuState.Free)), node.Gpus.Any(gpu => gpu.Simulated), hives,
            [.. here.Where(p => !p.HoldsGpus && !p.Finished).Select(p => NamespacedName.Of(p.Pod).ToString())
                .Order(StringComparer.Ordinal)]);

        GpuView TileOf(GpuDevice gpu)
        {
            var holder = holders.GetValueOrDefault(gpu.Index);
            var (state, words) =
                node.Marked.Contains(gpu.Index)
                    ? (GpuState.Marked, "computed wrong results: nobody gets it until the mark is taken off its node")
                : hasPlugin && !node.IsOffered(gpu) ? (GpuState.Unhealthy, "not well: its node's kubelet offers it no more")
                : holder is null ? (GpuState.Free, "free")
                : (StateOf(ReplicaView.StateOf(holder)), ReplicaView.WordsOf(holder));
            return new GpuView(
                gpu.Index, gpu.Uuid, GpuNames.Of(gpu), gpu.VramBytes, PartitionOf(gpu), gpu.NumaNode, state,
                holder is null ? null : NamespacedName.Of(holder.Pod).ToString(),
                holder?.DeploymentLabel is { } deployment ? $"{holder.Pod.Metadata.NamespaceProperty}/{deployment}" : null, words);
        }
    }

    private static GpuState StateOf(ReplicaPhase state) => state switch
    {
        ReplicaPhase.Serving => GpuState.Serving,
        ReplicaPhase.Ending => GpuState.Ending,
        ReplicaPhase.Failing => GpuState.Failing,
        _ => GpuState.Starting,
    };

    private static bool IsReady(GpuNode node) =>
        node.Node.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    private static string WordsOf(GpuNode node, bool ready)
    {
        List<string> words = [ready ? "ready" : "not ready: its kubelet does not report"];
        if (node.Node.Spec?.Unschedulable == true)
        {
            words.Add("cordoned, so that no new pod comes here");
        }

        if (node.Problem is { } problem)
        {
            words.Add(problem);
        }
        else if (node.Gpus.Count == 0)
        {
            words.Add("no GPUs reported");
        }

        return string.Join("; ", words);
    }

    private static string SummaryOf(IReadOnlyList<GpuDevice> gpus) => string.Join(" + ", gpus
        .GroupBy(gpu => (Name: GpuNames.Of(gpu), Vram: gpu.VramBytes is { } bytes ? (bytes + (1L << 29)) >> 30 : (long?)null))
        .Select(g => $"{g.Count()} × {g.Key.Name}{(g.Key.Vram is { } gibibytes ? $", {gibibytes} GiB" : "")}"
            + (g.Count() > 1 && g.Key.Vram is not null ? " each" : "")));

    private static string? PartitionOf(GpuDevice gpu) =>
        gpu.ComputePartition is null or "SPX" && gpu.MemoryPartition is null or "NPS1"
            ? null
            : string.Join(' ', new[] { gpu.ComputePartition, gpu.MemoryPartition }.OfType<string>());
}
