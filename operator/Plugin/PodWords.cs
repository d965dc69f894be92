using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Plugin;

/// <summary>What <see cref="Explainer"/> and <c>top</c> say of a pod.</summary>
internal static class PodWords
{
    /// <summary>In a word.</summary>
    public static string State(Replica pod) =>
        pod.Terminating ? "ending"
        : PodProblem.Of(pod) is { } problem ? problem.Reason
        : pod.Ready ? "ready"
        : pod.IsBound ? "starting"
        : "pending";

    /// <summary>Such as <c>GPUs 0,1</c>.</summary>
    public static string Gpus(IEnumerable<int> indices)
    {
        List<int> all = [.. indices];
        return $"{(all.Count == 1 ? "GPU" : "GPUs")} {string.Join(',', all)}";
    }

    /// <summary>Who has chosen node and GPUs, where it was not the operator.</summary>
    public static string Chooser(GpuAllocation allocation, string? node) => allocation switch
    {
        _ when node is null => "the scheduler has not chosen a node yet",
        GpuAllocation.DevicePlugin =>
            $"the scheduler has chosen node {node}, and its kubelet's device plugin the GPUs (gpu.allocation: DevicePlugin)",
        _ => $"the scheduler and the DRA driver have chosen node {node} and the GPUs (gpu.allocation: ResourceClaim)",
    };

    /// <summary>How the GPUs lie to each other, and what the spec has to do with it.</summary>
    public static IEnumerable<string> Topology(Replica pod, PlanRequest request, GpuNode? node)
    {
        List<GpuDevice> gpus = [.. node?.HeldBy(pod) ?? []];
        if (gpus.Count == 0)
        {
            yield break;
        }

        List<string> hives = [.. gpus.Select(gpu => gpu.Hive is { Length: > 0 } hive && hive != "0" ? hive : "none").Distinct()];
        if (gpus.Count > 1)
        {
            yield return hives is ["none"] ? $"{Gpus(pod.Gpus)} are in no XGMI hive"
                : hives is [var one]
                    ? $"{Gpus(pod.Gpus)} share XGMI hive {one}"
                        + (request.Gpu.RequireSameHive ? ", as gpu.requireSameHive asks" : "")
                : $"{Gpus(pod.Gpus)} are in XGMI hives {string.Join(" and ", hives)}: gpu.requireSameHive is false";
        }

        List<int?> numa = [.. gpus.Select(gpu => gpu.NumaNode).Distinct().Order()];
        if (numa is [{ } only])
        {
            yield return $"{Gpus(pod.Gpus)} {(gpus.Count == 1 ? "is" : "are")} on NUMA node {only}";
        }
        else if (!numa.Contains(null))
        {
            yield return $"{Gpus(pod.Gpus)} are on NUMA nodes {string.Join(" and ", numa)}: no NUMA node had {gpus.Count} free";
        }
    }
}
