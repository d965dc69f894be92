using System.Text.Json.Serialization;

namespace Cluster.Operator.Api;

[JsonConverter(typeof(JsonStringEnumConverter<GpuAllocation>))]
internal enum GpuAllocation
{
    /// <summary>The operator chooses the GPUs and pins the pod to them.</summary>
    Pinned,

    /// <summary>The kubelet's device plugin chooses.</summary>
    DevicePlugin,

    /// <summary>The scheduler and a DRA driver choose.</summary>
    ResourceClaim,
}

[JsonConverter(typeof(JsonStringEnumConverter<DeviceAccess>))]
internal enum DeviceAccess
{
    /// <summary>The container is privileged, and sees all devices of its node.</summary>
    Privileged,

    /// <summary>AMD's container runtime opens the chosen ones.</summary>
    RuntimeClass,

    /// <summary>The kubelet opens the chosen ones, which the node agent offers it one by one.</summary>
    Plugin,
}

[JsonConverter(typeof(JsonStringEnumConverter<GpuPlacementPolicy>))]
internal enum GpuPlacementPolicy
{
    /// <summary>Best fit: large groups of GPUs stay whole for the replicas that need them.</summary>
    Pack,

    /// <summary>Replicas of one deployment go to different nodes while there are any.</summary>
    Spread,
}

[SchemaRule(
    "!has(self.allocation) || self.allocation == 'Pinned' || !has(self.deviceAccess)",
    "deviceAccess applies to allocation Pinned only; otherwise the kubelet opens the devices")]
[SchemaRule(
    "!has(self.allocation) || self.allocation == 'Pinned' || !has(self.requireSameHive)",
    "requireSameHive applies to allocation Pinned only; otherwise the kubelet or a DRA driver chooses the GPUs")]
[SchemaRule(
    "!has(self.allocation) || self.allocation == 'Pinned' || !has(self.placement)",
    "placement applies to allocation Pinned only; otherwise the scheduler chooses the node (use "
    + "podTemplate.spec.topologySpreadConstraints)")]
[SchemaRule(
    "!has(self.allocation) || self.allocation != 'ResourceClaim' || !has(self.resourceName) || self.resourceName == 'amd.com/gpu'",
    "resourceName is a device plugin's resource; with ResourceClaim GPUs are claimed by device class")]
internal sealed class GpuSpec
{
    public const string DefaultResourceName = "amd.com/gpu";

    [Schema(
        "Who chooses the GPUs of a pod. Pinned: the operator, by ROCR_VISIBLE_DEVICES. DevicePlugin: the kubelet, by a resource request. "
        + "ResourceClaim: the scheduler and AMD's DRA driver (Kubernetes 1.34 or newer), by a claim of the device class gpu.amd.com.",
        Default = GpuAllocation.Pinned, Immutable = true)]
    public GpuAllocation Allocation { get; set; } = GpuAllocation.Pinned;

    [Schema(
        "Resource of the device plugin: requested by pods with DevicePlugin; with Pinned, nodes that offer it are refused, because "
        + "kubelet and operator would book the same GPUs twice.",
        Default = DefaultResourceName, MaxLength = 253,
        Pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")]
    public string ResourceName { get; set; } = DefaultResourceName;

    [Schema(
        "How a pinned pod may open its devices. Default: Privileged. RuntimeClass: AMD's container runtime opens exactly the chosen ones. "
        + "Plugin: the kubelet does, to which the node agent offers each GPU as a resource; such pods need no privilege.")]
    public DeviceAccess DeviceAccess { get; set; } = DeviceAccess.Privileged;

    [Schema("Place a replica only on GPUs that are joined by one XGMI hive. Default: true.")]
    public bool RequireSameHive { get; set; } = true;

    [Schema(
        "Which node to choose of those that fit. Default: Pack, where the fewest GPUs are left over. Spread: where this deployment has "
        + "the fewest replicas, so that losing a node costs the fewest.")]
    public GpuPlacementPolicy Placement { get; set; } = GpuPlacementPolicy.Pack;

    [Schema("Labels a node must have.")]
    public Dictionary<string, string>? NodeSelector { get; set; }
}
