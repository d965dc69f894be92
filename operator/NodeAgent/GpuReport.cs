using System.Globalization;
using System.Text.Json;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.NodeAgent;

/// <summary>GPUs as annotations and labels of a Node. Pure. Called by <see cref="NodeAgentLoop"/>.</summary>
internal static class GpuReport
{
    /// <summary>The value of <see cref="ApiNames.NodeGpusAnnotation"/>, which the operator places by: every GPU with all that is known of
    /// it; <c>[]</c> says that somebody looked and found none.</summary>
    public static string Annotation(IReadOnlyList<GpuDevice> gpus) => JsonSerializer.Serialize(gpus, KubernetesJson.Options);

    /// <summary>What people select nodes by (<c>spec.gpu.nodeSelector</c>, <c>kubectl get nodes -L</c>). Null where there is nothing to say
    /// or the GPUs differ.</summary>
    public static Dictionary<string, string?> Labels(IReadOnlyList<GpuDevice> gpus) => new(StringComparer.Ordinal)
    {
        [NodeAnnotations.GpuCountLabel] = gpus.Count > 0 ? gpus.Count.ToString(CultureInfo.InvariantCulture) : null,
        [NodeAnnotations.GpuDeviceIdLabel] = Common(gpus, g => g.DeviceId),
        [NodeAnnotations.GpuGfxLabel] = Common(gpus, g => g.Gfx),
        [NodeAnnotations.GpuPartitionLabel] = Common(gpus, Partition),
    };

    private static string? Partition(GpuDevice gpu) =>
        (gpu.ComputePartition, gpu.MemoryPartition) switch
        {
            (null, _) => null,
            ({ } compute, null) => compute.ToLowerInvariant(),
            ({ } compute, { } memory) => $"{compute.ToLowerInvariant()}-{memory.ToLowerInvariant()}",
        };

    private static string? Common(IReadOnlyList<GpuDevice> gpus, Func<GpuDevice, string?> fact) =>
        gpus.Select(fact).Distinct(StringComparer.Ordinal).Take(2).ToList() is [{ } only] ? only : null;
}
