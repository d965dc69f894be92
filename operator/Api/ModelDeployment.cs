using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Api;

/// <summary>Names every part of the system agrees on.</summary>
internal static class ApiNames
{
    public const string Group = "serving.cluster.sh";
    public const string Version = "v1alpha1";
    public const string Kind = "ModelDeployment";
    public const string Plural = "modeldeployments";

    /// <summary>Finalizer that holds a deployment until its pods, and with them its GPUs, are gone.</summary>
    public const string Finalizer = Group + "/gpus";

    /// <summary>Label: name of the ModelDeployment that owns a pod or service.</summary>
    public const string DeploymentLabel = Group + "/model-deployment";

    /// <summary>Label: hash of everything in the spec that a pod is made from.</summary>
    public const string TemplateHashLabel = Group + "/template-hash";

    /// <summary>Pod annotation: comma-separated indices of the GPUs booked for it on its node.</summary>
    public const string GpuIndicesAnnotation = Group + "/gpu-indices";

    /// <summary>Pod annotation: the same GPUs' UUIDs, comma-separated, where known.</summary>
    public const string GpuUuidsAnnotation = Group + "/gpu-uuids";

    /// <summary>Pod annotation: node the GPUs are booked on, set before the scheduler binds the pod.</summary>
    public const string GpuNodeAnnotation = Group + "/gpu-node";

    /// <summary>Node annotation, written by the node agent: JSON array of <see cref="GpuDevice"/>.</summary>
    public const string NodeGpusAnnotation = Group + "/gpus";
}

/// <summary>One GPU (or partition) of a node, as the node agent publishes it.</summary>
internal sealed record GpuDevice
{
    /// <summary>Index in ROCr's enumeration order.</summary>
    public required int Index { get; init; }

    /// <summary>ROCr UUID, <c>GPU-</c> and 16 hex digits; null where the driver reports none.</summary>
    public string? Uuid { get; init; }

    /// <summary>PCI device id such as <c>74a1</c>.</summary>
    public string? DeviceId { get; init; }

    /// <summary>XGMI hive; null or "0" when the GPU is in none.</summary>
    public string? Hive { get; init; }

    public int? NumaNode { get; init; }

    public long? VramBytes { get; init; }

    /// <summary>True for GPUs that local mode invents on a machine without any.</summary>
    public bool Simulated { get; init; }
}

/// <summary>A model to serve: what users write. See deploy/crds for the same with descriptions.</summary>
internal sealed class ModelDeployment : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new(ApiNames.Group, ApiNames.Version, ApiNames.Kind, ApiNames.Plural, Namespaced: true);

    public ModelDeploymentSpec Spec { get; set; } = new();

    public ModelDeploymentStatus? Status { get; set; }
}

internal sealed class ModelDeploymentSpec
{
    public ModelSpec Model { get; set; } = new();

    public int Replicas { get; set; } = 1;

    /// <summary>GPUs a replica.</summary>
    public int TensorParallelSize { get; set; } = 1;

    public GpuSpec Gpu { get; set; } = new();

    public EngineSpec Engine { get; set; } = new();

    public TuningSpec Tuning { get; set; } = new();

    public RolloutSpec Rollout { get; set; } = new();

    /// <summary>Seconds running requests get to finish after SIGTERM.</summary>
    public int DrainSeconds { get; set; } = 45;

    /// <summary>metadata and PodSpec overlay, merged strategically; the container is called <c>worker</c>.</summary>
    public JsonObject? PodTemplate { get; set; }
}

internal sealed class ModelSpec
{
    /// <summary><c>hf://org/name@revision</c>, <c>pvc://claim/path</c> or <c>file:///path</c> (a folder on every GPU node).</summary>
    public string Source { get; set; } = "";

    /// <summary>Name the API answers to; default metadata.name.</summary>
    public string? ServedName { get; set; }

    public SecretKeyRef? TokenSecretRef { get; set; }
}

internal sealed class SecretKeyRef
{
    public string Name { get; set; } = "";

    public string Key { get; set; } = "";
}

[JsonConverter(typeof(JsonStringEnumConverter<GpuAllocation>))]
internal enum GpuAllocation
{
    /// <summary>The operator chooses the GPUs and pins the pod to them.</summary>
    Pinned,

    /// <summary>The kubelet's device plugin chooses.</summary>
    DevicePlugin,
}

[JsonConverter(typeof(JsonStringEnumConverter<DeviceAccess>))]
internal enum DeviceAccess
{
    Privileged,
    RuntimeClass,
}

internal sealed class GpuSpec
{
    public GpuAllocation Allocation { get; set; } = GpuAllocation.Pinned;

    public string ResourceName { get; set; } = "amd.com/gpu";

    public DeviceAccess DeviceAccess { get; set; } = DeviceAccess.Privileged;

    public bool RequireSameHive { get; set; } = true;

    public Dictionary<string, string>? NodeSelector { get; set; }
}

/// <summary>Engine settings; names and meanings are the worker's flags. Null leaves the worker's default.</summary>
internal sealed class EngineSpec
{
    public string? Dtype { get; set; }

    public string? Quantization { get; set; }

    public string? KvCacheDtype { get; set; }

    public int? MaxModelLen { get; set; }

    public int? MaxNumSeqs { get; set; }

    public int? MaxNumBatchedTokens { get; set; }

    public bool? EnablePrefixCaching { get; set; }

    public bool? EnableChunkedPrefill { get; set; }

    public int? NumSchedulerSteps { get; set; }

    public int? MaxSeqLenToCapture { get; set; }

    public double? GpuMemoryUtilization { get; set; }

    public SpeculativeSpec? Speculative { get; set; }

    public List<string>? ExtraArgs { get; set; }
}

internal sealed class SpeculativeSpec
{
    public string Model { get; set; } = "";

    public int NumTokens { get; set; }
}

[JsonConverter(typeof(JsonStringEnumConverter<NumaBalancing>))]
internal enum NumaBalancing
{
    Disabled,
    Unmanaged,
}

internal sealed class TuningSpec
{
    public NumaBalancing NumaBalancing { get; set; } = NumaBalancing.Disabled;

    /// <summary><c>Auto</c> or an integer.</summary>
    public JsonNode? NcclMinNChannels { get; set; }

    /// <summary>EnvVar objects, appended last.</summary>
    public JsonArray? Env { get; set; }
}

internal sealed class RolloutSpec
{
    public int MaxUnavailable { get; set; } = 1;

    public int MaxSurge { get; set; }
}

internal sealed class ModelDeploymentStatus
{
    public long? ObservedGeneration { get; set; }

    public int Replicas { get; set; }

    public int ReadyReplicas { get; set; }

    public int UpdatedReplicas { get; set; }

    public string? Selector { get; set; }

    public List<Condition>? Conditions { get; set; }

    public List<Placement>? Placements { get; set; }

    public Endpoints? Endpoints { get; set; }
}

internal sealed class Placement
{
    public string Pod { get; set; } = "";

    public string? Node { get; set; }

    /// <summary>GPU indices as strings.</summary>
    public List<string> Gpus { get; set; } = [];

    public List<string>? Uuids { get; set; }

    public bool Ready { get; set; }
}

internal sealed class Endpoints
{
    public string? Grpc { get; set; }

    public string? Http { get; set; }
}
