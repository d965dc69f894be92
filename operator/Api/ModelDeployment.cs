using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Cluster.Common;
using k8s;
using k8s.Models;

namespace Cluster.Operator.Api;

/// <summary>Names every part of the system agrees on.</summary>
internal static class ApiNames
{
    public const string Group = "serving.cluster.sh";
    public const string Version = "v1alpha1";

    public const string ApiVersion = Group + "/" + Version;
    public const string Kind = "ModelDeployment";
    public const string Plural = "modeldeployments";

    /// <summary>Finalizer that holds a deployment until its pods, and with them its GPUs, are gone.</summary>
    public const string Finalizer = Group + "/gpus";

    /// <summary>Label: name of the ModelDeployment that owns a pod or service.</summary>
    public const string DeploymentLabel = Group + "/model-deployment";

    /// <summary>Label: hash of everything in the spec that a pod is made from.</summary>
    public const string TemplateHashLabel = Group + "/template-hash";

    /// <summary>Pod annotation that ReplicaSets honour too: of two pods the one with the lower cost is deleted first. Default 0.</summary>
    public const string DeletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";

    /// <summary>Pod annotation: comma-separated indices of the GPUs booked for it on its node.</summary>
    public const string GpuIndicesAnnotation = Group + "/gpu-indices";

    /// <summary>Pod annotation: the same GPUs' UUIDs, comma-separated, where known.</summary>
    public const string GpuUuidsAnnotation = Group + "/gpu-uuids";

    /// <summary>Pod annotation: node the GPUs are booked on, set before the scheduler binds the pod.</summary>
    public const string GpuNodeAnnotation = Group + "/gpu-node";

    /// <summary>Pod annotation: tells which key the pod's workers know the gateway by, and nothing of the key.</summary>
    public const string GatewayKeyAnnotation = Group + "/gateway-key-id";

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

    /// <summary>LLVM's name of the instruction set, such as <c>gfx942</c>.</summary>
    public string? Gfx { get; init; }

    /// <summary>XGMI hive; null or "0" when the GPU is in none.</summary>
    public string? Hive { get; init; }

    public int? NumaNode { get; init; }

    public long? VramBytes { get; init; }

    /// <summary>Mode in which the GPU's compute is divided: <c>SPX</c> (whole), <c>DPX</c>, <c>TPX</c>, <c>QPX</c>, <c>CPX</c>; null where
    /// the GPU knows none.</summary>
    public string? ComputePartition { get; init; }

    /// <summary>Mode in which the GPU's memory is divided: <c>NPS1</c> (whole) to <c>NPS8</c>; null where the driver does not
    /// tell.</summary>
    public string? MemoryPartition { get; init; }

    /// <summary>True for GPUs that local mode invents on a machine without any.</summary>
    public bool Simulated { get; init; }
}

/// <summary>A model to serve: what users write. See deploy/crds for the same with descriptions.</summary>
/// <remarks>The attributes are the CRD's schema; after a change run <c>cluster-operator crd</c> into deploy/crds.</remarks>
[Schema("A language model served by one or more worker pods, each pinned to its own GPUs.")]
[SchemaRule(
    "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$')",
    "metadata.name must start with a lower case letter, hold only lower case letters, digits and '-', and be at most 52 characters long: "
    + "pods and Services are named after it")]
[KubernetesEntity(Group = ApiNames.Group, ApiVersion = ApiNames.Version, Kind = ApiNames.Kind, PluralName = ApiNames.Plural)]
internal sealed class ModelDeployment : IKubernetesObject<V1ObjectMeta>
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public V1ObjectMeta Metadata { get; set; } = new();

    [Schema("What to serve, and how.", Required = true)]
    public ModelDeploymentSpec Spec { get; set; } = new();

    [Schema("Observed state. Written by the operator only.")]
    public ModelDeploymentStatus? Status { get; set; }

    /// <summary>What clients call the model.</summary>
    public string ServedName() => Spec.Model.ServedName ?? Metadata.Name;

    /// <summary>The same deployment with the number of replicas that was chosen for <c>spec.autoscaling</c>.</summary>
    public ModelDeployment Scaled(int replicas)
    {
        var scaled = (ModelDeployment)MemberwiseClone();
        scaled.Spec = Spec.Scaled(replicas);
        return scaled;
    }

    /// <summary>The same deployment with the number of replicas that it shall have now: with <c>spec.autoscaling</c> the one that the
    /// status tells, within its bounds.</summary>
    public ModelDeployment Scaled() =>
        Spec.Autoscaling is { } scaling
            ? Scaled(Math.Min(Math.Max(Status?.DesiredReplicas ?? 0, scaling.Least()), scaling.MaxReplicas))
            : this;

    /// <summary>The same deployment with a number for <c>tensorParallelSize: auto</c>: what pods are made from.</summary>
    public ModelDeployment Sized(int degree)
    {
        var sized = (ModelDeployment)MemberwiseClone();
        sized.Spec = Spec.Sized(degree);
        return sized;
    }
}

[SchemaRule(
    "!has(self.model.tokenSecretRef) || self.model.source.startsWith('hf://') || (has(self.engine) && has(self.engine.speculative) && "
    + "self.engine.speculative.model.startsWith('hf://'))",
    "model.tokenSecretRef is a Hugging Face token and needs an hf:// source")]
[SchemaRule(
    "!has(self.model.cache) || self.model.source.startsWith('hf://') || (has(self.engine) && has(self.engine.speculative) && "
    + "self.engine.speculative.model.startsWith('hf://'))",
    "model.cache keeps what is downloaded from the hub and needs an hf:// source")]
[SchemaRule(
    "!has(self.model.preload) || !self.model.preload || ['hf://', 'oci://'].exists(scheme, self.model.source.startsWith(scheme) || "
    + "(has(self.engine) && has(self.engine.speculative) && self.engine.speculative.model.startsWith(scheme)))",
    "model.preload downloads what is not there yet and needs an hf:// or oci:// source")]
[SchemaRule(
    "!has(self.tuning) || !has(self.tuning.ncclMinNChannels) || type(self.tuning.ncclMinNChannels) != int || "
    + "self.tuning.ncclMinNChannels <= 64 || (has(self.tensorParallelSize) && (type(self.tensorParallelSize) != int || "
    + "self.tensorParallelSize >= 8))",
    "tuning.ncclMinNChannels above 64 needs tensorParallelSize of at least 8: RCCL ignores it with fewer ranks")]
[SchemaRule(
    "!has(self.optimizeFor) || (has(self.tensorParallelSize) && type(self.tensorParallelSize) != int)",
    "optimizeFor says what tensorParallelSize auto is chosen for; it has no effect with a number")]
[SchemaRule(
    "!has(self.model.config) || (has(self.tensorParallelSize) && type(self.tensorParallelSize) != int)",
    "model.config is what tensorParallelSize auto is computed from; it has no effect with a number")]
[SchemaRule(
    "!has(self.gpu) || !has(self.gpu.allocation) || self.gpu.allocation != 'ResourceClaim' || !has(self.tensorParallelSize) || "
    + "type(self.tensorParallelSize) == int",
    "tensorParallelSize auto is chosen by the nodes' GPUs; with gpu.allocation ResourceClaim only the scheduler knows them: give a number")]
[SchemaRule(
    "!has(self.autoscaling) || !has(self.replicas) || self.replicas == 1",
    "with autoscaling the operator chooses the number of replicas between minReplicas and maxReplicas: leave replicas out, and let no "
    + "HorizontalPodAutoscaler set it")]
internal sealed class ModelDeploymentSpec
{
    /// <summary>The status names every pod, and etcd takes no object beyond 1.5 MiB.</summary>
    public const int MostReplicas = 8192;

    [Schema("The model.", Required = true)]
    public ModelSpec Model { get; set; } = new();

    [Schema(
        "Number of worker pods. Also set by `kubectl scale` and a HorizontalPodAutoscaler. Not to be given beside autoscaling.",
        Default = 1, Minimum = 0, Maximum = MostReplicas)]
    public int Replicas { get; set; } = 1;

    [Schema(
        "Lets the operator choose the number of worker pods by the requests that gateways have queued and running; replicas is left out "
        + "then. The number is in status.desiredReplicas.")]
    public AutoscalingSpec? Autoscaling { get; set; }

    [Schema("How the gateway shares requests among deployments of one served name.")]
    public RoutingSpec? Routing { get; set; }

    /// <summary>GPUs per replica.</summary>
    [Schema(
        "GPUs per replica: the model is split over this many by tensor parallelism. A number, or auto: the operator chooses from the "
        + "model's configuration and the GPUs' memory, says why in status.sizing, and keeps to it until the spec changes. It reads the "
        + "configuration of public hf:// models from the hub; of others it has to be given in model.config.",
        Default = 1, IntOrString = true, Pattern = TensorParallelSize.Pattern, Minimum = 1, Maximum = TensorParallelSize.Largest)]
    public TensorParallelSize TensorParallelSize { get; set; } = 1;

    [Schema(
        "What tensorParallelSize auto is chosen for. Throughput (the default): the fewest GPUs that hold weights and context, so that "
        + "the same GPUs make more replicas, rounded up to a divisor of the node's where that costs no replica. Latency: as many GPUs of "
        + "a node as the model can be split over.")]
    public OptimizeFor? OptimizeFor { get; set; }

    [Schema("Which GPUs, and how pods get at them.")]
    public GpuSpec Gpu { get; set; } = new();

    [Schema("Engine settings, with the names and meanings of the worker's flags. What is left out has the worker's default.")]
    public EngineSpec Engine { get; set; } = new();

    [Schema("Node and pod settings that affect performance.")]
    public TuningSpec Tuning { get; set; } = new();

    [Schema("How pods are replaced when the spec changes.")]
    public RolloutSpec Rollout { get; set; } = new();

    /// <summary>Seconds running requests get to finish after SIGTERM.</summary>
    [Schema(
        "Seconds that running requests get to finish when the pod is terminated.", Default = 45, Minimum = 0,
        Maximum = WorkerFlags.MaxShutdownTimeoutSeconds)]
    public int DrainSeconds { get; set; } = 45;

    /// <summary>metadata and PodSpec overlay, merged strategically; the container is called <c>worker</c>.</summary>
    [Schema(
        "Overlay of the worker pods: metadata (labels, annotations) and spec (a PodSpec), merged strategically. The worker's container "
        + "is called `worker`.")]
    public JsonObject? PodTemplate { get; set; }

    /// <summary>The spec with a number in place of what chooses one.</summary>
    public ModelDeploymentSpec Scaled(int replicas)
    {
        var scaled = (ModelDeploymentSpec)MemberwiseClone();
        (scaled.Replicas, scaled.Autoscaling) = (replicas, null);
        return scaled;
    }

    /// <summary>The spec with a number for <c>auto</c>, and without what only <c>auto</c> reads.</summary>
    public ModelDeploymentSpec Sized(int degree)
    {
        var sized = (ModelDeploymentSpec)MemberwiseClone();
        (sized.TensorParallelSize, sized.OptimizeFor, sized.Model) = (degree, null, Model.WithoutConfig());
        return sized;
    }
}

internal sealed class ModelSpec
{
    /// <summary><c>hf://org/name@revision</c>, <c>oci://registry/image</c>, <c>pvc://claim/path</c> or <c>file:///path</c> (a folder on
    /// every GPU node).</summary>
    [Schema(
        "Where the checkpoint comes from: hf://org/name or hf://org/name@revision (Hugging Face hub), oci://registry/image:tag or "
        + "oci://registry/image@sha256:digest (an OCI image or artifact, mounted as an image volume), pvc://claim/path (a volume claim "
        + "in this namespace) or file:///path (a folder on every GPU node).",
        Required = true, MaxLength = 1024, Pattern = ModelSource.Pattern)]
    public string Source { get; set; } = "";

    /// <summary>Name the API answers to; default metadata.name.</summary>
    [Schema("Name the API answers to. Default: metadata.name.", MaxLength = 128, Pattern = "^[A-Za-z0-9][-A-Za-z0-9._:/]*$")]
    public string? ServedName { get; set; }

    [Schema("Key of a Secret in this namespace that holds a Hugging Face token.")]
    public SecretKeyRef? TokenSecretRef { get; set; }

    /// <summary><c>pvc://claim/path</c> or <c>file:///path</c>; for hf:// sources.</summary>
    [Schema(
        "Where files from the hub are kept for the next pod: pvc://claim/path (a volume claim in this namespace) or file:///path (a "
        + "folder on every GPU node). User 10001 must be able to write there. Default: the operator's --hub-cache, otherwise a cache "
        + "that is deleted with the pod.",
        MaxLength = 1024, Pattern = ModelSource.FolderPattern)]
    public string? Cache { get; set; }

    [Schema(
        "Fill the cache of every node that pods may go to, or the claim that they share, before pods are made or replaced there: a pod on "
        + "each downloads the model, or has the kubelet pull its image. For hf:// sources with a cache that outlives pods, and oci:// "
        + "sources. Progress is in status.preload. Default: false.")]
    public bool? Preload { get; set; }

    /// <summary>For <c>tensorParallelSize: auto</c> of a checkpoint that the operator cannot look into.</summary>
    [Schema(
        "The checkpoint's config.json (JSON is YAML: paste it), for tensorParallelSize auto where the operator cannot read it itself: "
        + "file:// and pvc:// sources, private repositories.")]
    public JsonObject? Config { get; set; }

    public ModelSpec WithoutConfig() => WithConfig(null);

    public ModelSpec WithConfig(JsonObject? config)
    {
        var copy = (ModelSpec)MemberwiseClone();
        copy.Config = config;
        return copy;
    }
}

internal sealed class SecretKeyRef
{
    [Schema("Name of the Secret.", Required = true, MaxLength = 253, Pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    public string Name { get; set; } = "";

    [Schema("Key in the Secret's data.", Required = true, MaxLength = 253, Pattern = "^[-._a-zA-Z0-9]+$")]
    public string Key { get; set; } = "";
}

/// <summary>Engine settings; names and meanings are the worker's flags. Null leaves the worker's default.</summary>
[SchemaRule(
    "!has(self.maxNumBatchedTokens) || !has(self.maxNumSeqs) || self.maxNumBatchedTokens >= self.maxNumSeqs",
    "maxNumBatchedTokens must be at least maxNumSeqs: every running sequence needs one token per step")]
[SchemaRule(
    "!has(self.enableChunkedPrefill) || self.enableChunkedPrefill || !has(self.maxModelLen) || !has(self.maxNumBatchedTokens) || "
    + "self.maxNumBatchedTokens >= self.maxModelLen",
    "without chunked prefill maxNumBatchedTokens must be at least maxModelLen, or be left out: a prompt has to fit into one step")]
[SchemaRule(
    "!has(self.numSchedulerSteps) || self.numSchedulerSteps == 1 || !has(self.speculative)",
    "numSchedulerSteps above 1 cannot be combined with speculative: tokens are drafted anew before each step")]
internal sealed class EngineSpec
{
    [FromFlag("--dtype")]
    public string? Dtype { get; set; }

    [FromFlag("--quantization")]
    public string? Quantization { get; set; }

    [FromFlag("--kv-cache-dtype")]
    public string? KvCacheDtype { get; set; }

    [FromFlag("--max-model-len")]
    public int? MaxModelLen { get; set; }

    [FromFlag("--max-num-seqs")]
    public int? MaxNumSeqs { get; set; }

    [FromFlag("--max-num-batched-tokens")]
    public int? MaxNumBatchedTokens { get; set; }

    [FromFlag("--enable-prefix-caching")]
    public bool? EnablePrefixCaching { get; set; }

    [FromFlag("--enable-chunked-prefill")]
    public bool? EnableChunkedPrefill { get; set; }

    [FromFlag("--num-scheduler-steps")]
    public int? NumSchedulerSteps { get; set; }

    [FromFlag("--scheduling-policy")]
    public string? SchedulingPolicy { get; set; }

    [FromFlag("--generation-config")]
    public string? GenerationConfig { get; set; }

    [FromFlag("--override-generation-config")]
    public string? OverrideGenerationConfig { get; set; }

    [FromFlag("--max-seq-len-to-capture")]
    public int? MaxSeqLenToCapture { get; set; }

    [FromFlag("--gpu-memory-utilization")]
    public double? GpuMemoryUtilization { get; set; }

    [Schema("Speculative decoding: a smaller model of the same vocabulary, or the text so far, drafts tokens.")]
    public SpeculativeSpec? Speculative { get; set; }

    [Schema("Additional worker flags, one argument per item. Flags that are set by a field here are rejected.", MaxLength = 64)]
    public List<string>? ExtraArgs { get; set; }
}

internal sealed class SpeculativeSpec
{
    [Schema(
        "Where the draft model comes from, in the forms of spec.model.source; or [ngram], to look tokens up in the text so far.",
        Required = true, MaxLength = 1024, Pattern = ModelSource.DraftPattern)]
    public string Model { get; set; } = "";

    [FromFlag("--num-speculative-tokens", Required = true)]
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
    [Schema(
        "kernel.numa_balancing of the nodes that run this. Disabled: the node agent turns it off while they do, and restores it after. "
        + "Unmanaged: left alone.",
        Default = NumaBalancing.Disabled)]
    public NumaBalancing NumaBalancing { get; set; } = NumaBalancing.Disabled;

    /// <summary><c>Auto</c> or an integer.</summary>
    [Schema(
        "NCCL_MIN_NCHANNELS of the pods: a number, or Auto (112 for eight whole MI300-class GPUs, otherwise unset).",
        Default = ModelDeploymentDefaults.NcclAuto, IntOrString = true, Pattern = "^Auto$", Minimum = 1, Maximum = 1024)]
    public JsonNode? NcclMinNChannels { get; set; }

    /// <summary>EnvVar objects, appended last.</summary>
    [Schema(
        "Environment variables of the worker's container, set after the operator's own.", Shape = typeof(EnvVarShape[]), MaxLength = 256,
        ListMapKey = "name")]
    public JsonArray? Env { get; set; }
}

/// <summary>The schema of an item of <see cref="TuningSpec.Env"/>: core/v1 EnvVar. Pods get the raw JSON.</summary>
internal sealed class EnvVarShape
{
    [Schema("Name of the variable.", Required = true, MaxLength = 253, Pattern = "^[-._a-zA-Z][-._a-zA-Z0-9]*$")]
    public string Name { get; set; } = "";

    [Schema("Its value.")]
    public string? Value { get; set; }

    [Schema("Source of the value instead: fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef, as in a pod.")]
    public JsonObject? ValueFrom { get; set; }
}

[SchemaRule(
    "!has(self.maxUnavailable) || !has(self.maxSurge) || self.maxUnavailable > 0 || self.maxSurge > 0",
    "maxUnavailable and maxSurge cannot both be 0: no pod could ever be replaced")]
internal sealed class RolloutSpec
{
    [Schema(
        "Maximum number of pods that can be unavailable during a rollout.", Default = 1, Minimum = 0,
        Maximum = ModelDeploymentSpec.MostReplicas)]
    public int MaxUnavailable { get; set; } = 1;

    [Schema(
        "Maximum number of pods above spec.replicas during a rollout; they need free GPUs.", Default = 0, Minimum = 0,
        Maximum = ModelDeploymentSpec.MostReplicas)]
    public int MaxSurge { get; set; }
}
