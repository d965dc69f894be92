using Cluster.Operator.Api;

namespace Cluster.Operator.NodeAgent;

/// <summary>What node agents report about their nodes besides <see cref="ApiNames.NodeGpusAnnotation"/>, and what asks them to
/// act.</summary>
internal static class NodeAnnotations
{
    /// <summary>Node annotation: current value of <c>kernel.numa_balancing</c>; "0" is off.</summary>
    public const string NumaBalancing = ApiNames.Group + "/numa-balancing";

    /// <summary>Node annotation: the value that <c>kernel.numa_balancing</c> had before the agent turned it off, to be restored. Written
    /// before the switch is.</summary>
    public const string NumaBalancingFound = ApiNames.Group + "/numa-balancing-found";

    /// <summary>Node annotation: how the agent's device plugin is doing, <see cref="PluginRegistered"/> or what it waits for; absent where
    /// the agent has none.</summary>
    public const string DevicePlugin = ApiNames.Group + "/device-plugin";

    /// <summary>The value of <see cref="DevicePlugin"/> when the kubelet has taken every GPU.</summary>
    public const string PluginRegistered = "Registered";

    /// <summary>Pod label: what the pod's deployment asks of the node it runs on, a value of <see cref="Api.NumaBalancing"/>.</summary>
    public const string NumaBalancingRequest = ApiNames.Group + "/numa-balancing";

    /// <summary>Node label: how many GPUs or partitions of GPUs.</summary>
    public const string GpuCountLabel = ApiNames.Group + "/gpu-count";

    /// <summary>Node label: PCI device id such as <c>74a1</c>, where all GPUs have the same.</summary>
    public const string GpuDeviceIdLabel = ApiNames.Group + "/gpu-device-id";

    /// <summary>Node label: instruction set such as <c>gfx942</c>, where all GPUs have the same.</summary>
    public const string GpuGfxLabel = ApiNames.Group + "/gpu-gfx";

    /// <summary>Node label: partition modes such as <c>spx-nps1</c>, where all GPUs have the same.</summary>
    public const string GpuPartitionLabel = ApiNames.Group + "/gpu-partition";
}
