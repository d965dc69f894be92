using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Objects for tests, each with as little in it as makes it valid.</summary>
internal static class Given
{
    public static WorkerOptions Options { get; } = new("worker:test")
    {
        Policy = new PodPolicy { ModelPathPrefixes = ["/"] }
    };

    public static ModelDeployment Deployment(string name = "haiku", Action<ModelDeploymentSpec>? change = null)
    {
        ModelDeployment deployment = new()
        {
            ApiVersion = ApiNames.ApiVersion,
            Kind = ApiNames.Kind,
            Metadata = new V1ObjectMeta
            {
                Name = name,
                NamespaceProperty = "ns",
                Uid = $"uid-of-{name}",
                Generation = 1,
                ResourceVersion = "1"
            },
            Spec = new ModelDeploymentSpec { Model = new ModelSpec { Source = "file:///data/haiku-1m" } },
        };
        change?.Invoke(deployment.Spec);
        return deployment;
    }

    public static List<GpuDevice> Gpus(int count, int hiveSize = 8, string? deviceId = "74a1") =>
        [.. Enumerable.Range(0, count).Select(i => new GpuDevice
        {
            Index = i,
            Uuid = $"GPU-{i + 1:x16}",
            DeviceId = deviceId,
            Hive = ((i / hiveSize) + 1).ToString(CultureInfo.InvariantCulture),
            NumaNode = i / 4,
            VramBytes = 192L << 30,
        })];

    public static V1Node Node(string name, int gpus = 8, int hiveSize = 8, Action<V1Node>? change = null) =>
        Node(name, Gpus(gpus, hiveSize), change);

    public static V1Node Node(string name, List<GpuDevice> gpus, Action<V1Node>? change = null)
    {
        V1Node node = new()
        {
            Metadata = new V1ObjectMeta
            {
                Name = name,
                Uid = "uid-of-" + name,
                Labels = new Dictionary<string, string> { ["kubernetes.io/hostname"] = name },
                Annotations = new Dictionary<string, string>
                {
                    [ApiNames.NodeGpusAnnotation] = JsonSerializer.Serialize(gpus, KubernetesJson.Options)
                },
            },
            Spec = new V1NodeSpec(),
            Status = new V1NodeStatus { Conditions = [new V1NodeCondition { Type = "Ready", Status = "True" }] },
        };
        change?.Invoke(node);
        return node;
    }

    /// <summary>A node whose agent offers its GPUs to the kubelet.</summary>
    /// <param name="unhealthy">Indices of GPUs that the kubelet has none of for pods.</param>
    public static V1Node PluginNode(string name, int gpus = 8, string? status = NodeAnnotations.PluginRegistered, params int[] unhealthy) =>
        Node(name, gpus, change: node =>
        {
            if (status is not null)
            {
                node.Metadata.Annotations![NodeAnnotations.DevicePlugin] = status;
            }

            node.Status!.Allocatable = Gpus(gpus).ToDictionary(
                gpu => GpuResource.NameOf(gpu, uuidsAreUnique: true),
                gpu => new ResourceQuantity(unhealthy.Contains(gpu.Index) ? "0" : "1"));
        });

    /// <summary>A node that stopped being ready at a time.</summary>
    public static V1Node UnreadyNode(string name, DateTimeOffset since, int gpus = 8) =>
        Node(name, gpus,
            change: n => n.Status!.Conditions = [
                new V1NodeCondition { Type = "Ready", Status = "Unknown", LastTransitionTime = since.UtcDateTime }]);

    /// <summary>Nodes are away since when their conditions say, at a time.</summary>
    public static NodeLoss NodeLoss(TimeSpan? tolerance, DateTimeOffset now) => new(
        tolerance,
        node => node.Status!.Conditions!.Single(c => c.Type == "Ready") is { Status: not "True", LastTransitionTime: { } since }
            ? now - since
            : null);

    /// <param name="gpus">Indices such as <c>0,1</c>; null for a pod without GPUs of its own.</param>
    public static V1Pod Pod(
        string name, string? node = "n1", string? gpus = "0", string hash = "new", bool ready = true, string phase = "Running",
        bool terminating = false, int age = 0, string owner = "uid-of-haiku")
    {
        Dictionary<string, string> annotations = [];
        if (node is not null && gpus is not null)
        {
            annotations[ApiNames.GpuNodeAnnotation] = node;
            annotations[ApiNames.GpuIndicesAnnotation] = gpus;
        }

        return new V1Pod
        {
            Metadata = new V1ObjectMeta
            {
                Name = name,
                NamespaceProperty = "ns",
                Uid = "uid-of-" + name,
                CreationTimestamp = DateTime.UnixEpoch.AddHours(100 - age),
                DeletionTimestamp = terminating ? DateTime.UnixEpoch : null,
                Labels = new Dictionary<string, string> { [ApiNames.TemplateHashLabel] = hash },
                Annotations = annotations,
                OwnerReferences = [new V1OwnerReference { Uid = owner, Kind = ApiNames.Kind, Name = "haiku", Controller = true }],
            },
            Spec = new V1PodSpec { NodeName = node },
            Status = new V1PodStatus
            {
                Phase = phase,
                Conditions = [new V1PodCondition { Type = "Ready", Status = ready && phase == "Running" ? "True" : "False" }]
            },
        };
    }

    public static Replica Replica(
        string name, string? node = "n1", string? gpus = "0", string hash = "new", bool ready = true, string phase = "Running",
        bool terminating = false, int age = 0) =>
        Operator.Reconciling.Replica.Of(Pod(name, node, gpus, hash, ready, phase, terminating, age));

    public static PlanRequest Request(
        int replicas = 1, int groupSize = 1, int maxUnavailable = 1, int maxSurge = 0, GpuSpec? gpu = null, JsonObject? podSpec = null,
        bool replaceFailed = true) => new()
        {
            Replicas = replicas,
            GroupSize = groupSize,
            Gpu = gpu ?? new GpuSpec(),
            Rollout = new RolloutSpec { MaxUnavailable = maxUnavailable, MaxSurge = maxSurge },
            TemplateHash = "new",
            Requirements = PodRequirements.Of(podSpec ?? []),
            ReplaceFailed = replaceFailed,
        };
}
