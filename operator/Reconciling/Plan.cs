namespace Cluster.Operator.Reconciling;

/// <summary>What <see cref="Planner"/> decided.</summary>
/// <param name="Actions">In the order they must be tried; empty means converged, or stuck for the reason in
/// <paramref name="Shortage"/>.</param>
/// <param name="Shortage">Why replicas that are wanted cannot be placed; null when all can.</param>
internal sealed record Plan(IReadOnlyList<PlanAction> Actions, Shortage? Shortage);

internal abstract record PlanAction;

/// <param name="Placement">Null when the kubelet's device plugin or a DRA driver chooses the GPUs.</param>
internal sealed record CreatePod(GpuPlacement? Placement) : PlanAction;

/// <param name="Force">Do not wait for a kubelet to confirm: its node is gone.</param>
internal sealed record DeletePod(Replica Pod, DeleteReason Reason, bool Force = false) : PlanAction
{
    /// <summary>The reason as a person reads it.</summary>
    public string Why => Reason switch
    {
        DeleteReason.ScaledDown => "more replicas than wanted",
        DeleteReason.Outdated => "made from an older template",
        DeleteReason.Failed => Pod.Pod.Status is { } status
            ? $"it ended ({status.Phase}{(status.Reason is { } reason ? $", {reason}" : "")})"
            : "it ended",
        DeleteReason.WrongResults => "its GPUs compute wrong results",
        DeleteReason.NodeGone => $"node {Pod.Node} is gone",
        DeleteReason.NodeLost => $"node {Pod.Node} has been unready for longer than the pod tolerates",
        DeleteReason.GpuGone => $"node {Pod.Node} has lost a GPU that it is pinned to",
        DeleteReason.Unscheduled => $"the scheduler does not put it on node {Pod.Node}",
        DeleteReason.NodeRefused => $"node {Pod.Node} no longer takes new pods",
        _ => "it claims a GPU that an older pod holds",
    };
}

internal enum DeleteReason
{
    /// <summary>More replicas than wanted.</summary>
    ScaledDown,

    /// <summary>Made from an older template.</summary>
    Outdated,

    /// <summary>All its containers ended for good.</summary>
    Failed,

    /// <summary>It says that its GPUs compute wrong results.</summary>
    WrongResults,

    /// <summary>Its node is no longer part of the cluster.</summary>
    NodeGone,

    /// <summary>Its node has not been ready for longer than the pod tolerates. The pod holds its GPUs until the node confirms its
    /// end.</summary>
    NodeLost,

    /// <summary>The node chosen for it no longer takes new pods.</summary>
    NodeRefused,

    /// <summary>The scheduler does not put it on the node chosen for it.</summary>
    Unscheduled,

    /// <summary>A GPU it is pinned to is not in its node any more, and it does not serve.</summary>
    GpuGone,

    /// <summary>It claims a GPU that an older pod holds.</summary>
    GpuConflict,
}

/// <param name="Reason">CamelCase, for the condition.</param>
/// <param name="Message">A sentence with the numbers, for a person.</param>
internal sealed record Shortage(string Reason, string Message)
{
    public const string InsufficientGpus = "InsufficientGpus";

    /// <summary>GPUs are free, but not the CPUs, the memory, the ephemeral storage or the place for a pod beside them.</summary>
    public const string InsufficientResources = "InsufficientResources";

    public const string NoGpuNodes = "NoGpuNodes";

    /// <summary>The nodes with GPUs run a device plugin for them, with which pinning cannot go together.</summary>
    public const string DevicePluginConflict = "DevicePluginConflict";

    /// <summary>GPUs are to come from the kubelet, and no node agent offers any to its own.</summary>
    public const string DevicePluginNotReady = "DevicePluginNotReady";

    /// <summary>No degree of tensor parallelism makes weights and context fit.</summary>
    public const string ModelTooLarge = "ModelTooLarge";

    /// <summary>tensorParallelSize is auto, and the operator cannot read the model's configuration.</summary>
    public const string ModelConfigUnknown = "ModelConfigUnknown";
}
