using System.Globalization;
using Cluster.Operator.Api;
using k8s.Models;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>GPUs of one size, on whatever nodes they are.</summary>
/// <param name="VramBytes">Memory of one GPU.</param>
/// <param name="GroupSize">GPUs of the best such node that may work together.</param>
internal sealed record GpuClass(long VramBytes, int GroupSize)
{
    /// <summary>Label of AMD's node labeller: memory of one GPU, such as <c>192G</c>, which is GiB.</summary>
    public const string VramLabel = "amd.com/gpu.vram";

    /// <summary>The classes among nodes that a deployment's pods may ever go to, smallest GPUs first. Readiness, cordons and bookings
    /// do not count: they pass, and a decision should not depend on the minute it was taken in.</summary>
    public static IReadOnlyList<GpuClass> Of(IEnumerable<GpuNode> nodes, GpuSpec gpu, PodRequirements requirements)
    {
        List<GpuClass> found = [];
        foreach (var node in nodes.Where(n => requirements.Matches(n.Node)))
        {
            if (gpu.Allocation == GpuAllocation.DevicePlugin)
            {
                if (Count(node.Allocatable(gpu.ResourceName)) is > 0 and var count && VramOf(node) is { } vram)
                {
                    found.Add(new GpuClass(vram, count));
                }
            }
            else if (node.Gpus.Count > 0 && VramOf(node) is { } vram)
            {
                found.Add(new GpuClass(vram, node.LargestGroup(gpu.RequireSameHive)));
            }
        }

        List<GpuClass> classes = [
            .. found.GroupBy(c => c.VramBytes).Select(g => new GpuClass(g.Key, g.Max(c => c.GroupSize))).OrderBy(c => c.VramBytes)];

        // Where the scheduler chooses the node, nobody keeps a pod from the smallest GPUs.
        return gpu.Allocation == GpuAllocation.DevicePlugin ? [.. classes.Take(1)] : classes;
    }

    /// <summary>Memory of the node's smallest GPU: what its node agent reports, else what the label says; null when neither does.</summary>
    public static long? VramOf(GpuNode node)
    {
        if (node.Gpus.Count > 0 && node.Gpus.All(g => g.VramBytes is > 0))
        {
            return Rounded(node.Gpus.Min(g => g.VramBytes)!.Value);
        }

        var label = node.Node.GetLabel(VramLabel);
        return label is not null && Count(label.TrimEnd('G', 'i', 'B')) is > 0 and var gibibytes ? (long)gibibytes << 30 : null;
    }

    /// <summary>Drivers keep some mebibytes back, not always as many: GPUs of one make are one class. What is rounded up is far
    /// less than gpuMemoryUtilization leaves alone.</summary>
    private static long Rounded(long bytes) => bytes < 8L << 30 ? bytes : (bytes + (1L << 29)) >> 30 << 30;

    private static int? Count(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= 1 << 20 ? count : null;
}
