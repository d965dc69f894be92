using System.Globalization;
using Cluster.Operator.Api;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>The GPUs of a machine without any: MI300X in one XGMI hive over two NUMA nodes, so that placement and pinning work as on a real
/// node. Workers compute on the CPU; the devices they are given are names.</summary>
internal static class SimulatedGpus
{
    private const long Mi300XBytes = 192L << 30;

    public static IReadOnlyList<GpuDevice> Make(int count) =>
        [.. Enumerable.Range(0, count).Select(index => new GpuDevice
        {
            Index = index,
            Uuid = string.Create(CultureInfo.InvariantCulture, $"GPU-51a0{index:x12}"),
            DeviceId = "74a1",
            Hive = "51a0",
            NumaNode = index < (count + 1) / 2 ? 0 : 1,
            VramBytes = Mi300XBytes,
            Simulated = true,
        })];
}
