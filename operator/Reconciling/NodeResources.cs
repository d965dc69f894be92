using System.Globalization;
using Cluster.Operator.Reconciling.Sizing;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>What a pod asks of a node beside GPUs, or what a node has for pods: the resources that the scheduler and the kubelet count for
/// every pod.</summary>
/// <remarks>Every number is cut off where no machine is: the sum of as many pods as a cluster has stays within what a decimal can be, so
/// that adding and taking away again are exact.</remarks>
internal readonly record struct NodeResources(decimal Cpus, decimal MemoryBytes, decimal StorageBytes, int Pods)
{
    /// <summary>A trillion terabytes. A decimal ends at 7.9e28.</summary>
    private const decimal Most = 1e24m;

    /// <summary>What a node has that does not say it.</summary>
    private const decimal Endless = 1e28m;

    private const int MostPods = 1_000_000;

    /// <summary>As the scheduler counts a pod: its containers and those beside them together, or the largest init container where that is
    /// more, or what the pod requests as a whole in place of both, and what its RuntimeClass adds.</summary>
    public static NodeResources Of(V1PodSpec spec)
    {
        var beside = default(NodeResources);
        var peak = default(NodeResources);
        foreach (var init in spec.InitContainers ?? [])
        {
            var own = OfContainer(init);
            if (init.RestartPolicy == "Always")
            {
                beside += own;
                peak = Larger(peak, beside);
            }
            else
            {
                peak = Larger(peak, beside + own);
            }
        }

        var containers = (spec.Containers ?? []).Aggregate(beside, (sum, c) => sum + OfContainer(c));
        var sum = Larger(containers, peak);
        var whole = ReadIfGiven(spec.Resources?.Requests);
        sum = sum with { Cpus = whole.Cpus ?? sum.Cpus, MemoryBytes = whole.MemoryBytes ?? sum.MemoryBytes };
        return sum + Read(name => spec.Overhead?.TryGetValue(name, out var q) == true ? q : null) with { Pods = 1 };
    }

    /// <summary>Null for what the node does not say it has, which then has no end.</summary>
    public static NodeResources? Allocatable(V1Node node) => node.Status?.Allocatable is { } all
        ? Read(name => all.TryGetValue(name, out var quantity) ? quantity : null, missing: Endless) with
        {
            Pods = all.TryGetValue("pods", out var pods) ? (int)Math.Clamp(Value(pods), -MostPods, MostPods) : MostPods,
        }
        : null;

    public static NodeResources operator +(NodeResources a, NodeResources b) =>
        new(a.Cpus + b.Cpus, a.MemoryBytes + b.MemoryBytes, a.StorageBytes + b.StorageBytes, a.Pods + b.Pods);

    public static NodeResources operator -(NodeResources a, NodeResources b) =>
        new(a.Cpus - b.Cpus, a.MemoryBytes - b.MemoryBytes, a.StorageBytes - b.StorageBytes, a.Pods - b.Pods);

    /// <summary>The first resource of which a node that has this much left lacks some for a pod, in a few words; null when the pod
    /// fits.</summary>
    public string? Lacks(NodeResources pod) =>
        pod.Pods > Pods ? "no room for one more pod"
        : pod.Cpus > Cpus ? $"{Number(pod.Cpus)} CPUs requested, {Number(Cpus)} left"
        : pod.MemoryBytes > MemoryBytes ? $"{Bytes(pod.MemoryBytes)} of memory requested, {Bytes(MemoryBytes)} left"
        : pod.StorageBytes > StorageBytes ? $"{Bytes(pod.StorageBytes)} of ephemeral storage requested, {Bytes(StorageBytes)} left"
        : null;

    private static NodeResources OfContainer(V1Container container) =>
        Read(name => container.Resources?.Requests?.TryGetValue(name, out var quantity) == true ? quantity
            : container.Resources?.Limits?.TryGetValue(name, out var limit) == true ? limit : null);

    private static NodeResources Read(Func<string, ResourceQuantity?> of, decimal missing = 0) => new(
        Given(of("cpu")) ?? missing, Given(of("memory")) ?? missing, Given(of("ephemeral-storage")) ?? missing, 0);

    private static (decimal? Cpus, decimal? MemoryBytes) ReadIfGiven(IDictionary<string, ResourceQuantity>? requests) =>
        (requests?.TryGetValue("cpu", out var cpus) == true ? Value(cpus) : null,
            requests?.TryGetValue("memory", out var memory) == true ? Value(memory) : null);

    private static decimal? Given(ResourceQuantity? quantity) => quantity is { } given ? Value(given) : null;

    private static decimal Value(ResourceQuantity quantity)
    {
        try
        {
            return Math.Clamp(quantity.ToDecimal(), -Most, Most);
        }
        catch (OverflowException)
        {
            return Most; // Quantities of pods and nodes are never negative: the API server sees to it.
        }
    }

    private static NodeResources Larger(NodeResources a, NodeResources b) => new(
        Math.Max(a.Cpus, b.Cpus), Math.Max(a.MemoryBytes, b.MemoryBytes), Math.Max(a.StorageBytes, b.StorageBytes),
        Math.Max(a.Pods, b.Pods));

    private static string Number(decimal value) => Math.Max(0, value).ToString("0.##", CultureInfo.InvariantCulture);

    private static string Bytes(decimal value) => ByteText.Of((long)Math.Clamp(value, 0, long.MaxValue));
}
