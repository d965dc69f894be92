using System.Text.Json;
using System.Text.Json.Serialization;
using Cluster.Operator.Api;

namespace Cluster.Operator.Kubernetes;

/// <summary>A pod, as far as the operator and local mode read it; the rest of spec and status stays in the extension data.</summary>
internal sealed class Pod : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("", "v1", "Pod", "pods", Namespaced: true);

    public PodSpec Spec { get; set; } = new();

    public PodStatus? Status { get; set; }
}

internal sealed class PodSpec
{
    public string? NodeName { get; set; }

    public long? TerminationGracePeriodSeconds { get; set; }

    public string? RestartPolicy { get; set; }

    public Dictionary<string, string>? NodeSelector { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

internal sealed class PodStatus
{
    /// <summary>Pending, Running, Succeeded, Failed, Unknown.</summary>
    public string? Phase { get; set; }

    public string? Reason { get; set; }

    public string? Message { get; set; }

    public string? PodIP { get; set; }

    public List<Condition>? Conditions { get; set; }

    public List<ContainerStatus>? InitContainerStatuses { get; set; }

    public List<ContainerStatus>? ContainerStatuses { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

internal sealed class ContainerStatus
{
    public string Name { get; set; } = "";

    public bool Ready { get; set; }

    public int RestartCount { get; set; }

    public ContainerState? State { get; set; }

    public ContainerState? LastState { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

internal sealed class ContainerState
{
    public WaitingState? Waiting { get; set; }

    public RunningState? Running { get; set; }

    public TerminatedState? Terminated { get; set; }
}

internal sealed class WaitingState
{
    public string? Reason { get; set; }

    public string? Message { get; set; }
}

internal sealed class RunningState
{
    public DateTimeOffset? StartedAt { get; set; }
}

internal sealed class TerminatedState
{
    public int ExitCode { get; set; }

    public int? Signal { get; set; }

    public string? Reason { get; set; }

    public string? Message { get; set; }

    public DateTimeOffset? StartedAt { get; set; }

    public DateTimeOffset? FinishedAt { get; set; }
}

/// <summary>A condition of any object: pods, nodes and our own status.</summary>
internal sealed class Condition
{
    [Schema("What it is about.", Required = true)]
    public string Type { get; set; } = "";

    /// <summary>True, False or Unknown.</summary>
    [Schema("Whether it holds.", Required = true, Enum = ["True", "False", "Unknown"])]
    public string Status { get; set; } = "Unknown";

    [Schema("Why, in one word for programs.")]
    public string? Reason { get; set; }

    [Schema("Why, in a sentence for people.")]
    public string? Message { get; set; }

    [Schema("When the status last changed.")]
    public DateTimeOffset? LastTransitionTime { get; set; }

    [Schema("The metadata.generation it is about.")]
    public long? ObservedGeneration { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

internal sealed class Node : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("", "v1", "Node", "nodes", Namespaced: false);

    public NodeSpec Spec { get; set; } = new();

    public NodeStatus? Status { get; set; }
}

internal sealed class NodeSpec
{
    public bool? Unschedulable { get; set; }

    public List<Taint>? Taints { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

internal sealed class Taint
{
    public string Key { get; set; } = "";

    public string? Value { get; set; }

    /// <summary>NoSchedule, PreferNoSchedule or NoExecute.</summary>
    public string Effect { get; set; } = "";
}

internal sealed class NodeStatus
{
    public Dictionary<string, string>? Capacity { get; set; }

    public Dictionary<string, string>? Allocatable { get; set; }

    public List<Condition>? Conditions { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

internal sealed class Service : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("", "v1", "Service", "services", Namespaced: true);
}

internal sealed class PodDisruptionBudget : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", Namespaced: true);
}

internal sealed class Secret : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("", "v1", "Secret", "secrets", Namespaced: true);
}

internal sealed class Lease : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("coordination.k8s.io", "v1", "Lease", "leases", Namespaced: true);
}

/// <summary>core/v1 Event: what <c>kubectl describe</c> shows under Events.</summary>
internal sealed class CoreEvent : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("", "v1", "Event", "events", Namespaced: true);
}

internal sealed class CustomResourceDefinition : KubernetesObject, IKubernetesKind
{
    public static ResourceDefinition Definition { get; } = new("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", Namespaced: false);

    public JsonElement? Status { get; set; }
}
