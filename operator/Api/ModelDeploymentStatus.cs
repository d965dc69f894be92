namespace Cluster.Operator.Api;

internal sealed class ModelDeploymentStatus
{
    [Schema("The metadata.generation that this status is about.")]
    public long? ObservedGeneration { get; set; }

    [Schema("Pods that are wanted: spec.replicas, or what was chosen for spec.autoscaling.")]
    public int DesiredReplicas { get; set; }

    [Schema("Pods that exist.")]
    public int Replicas { get; set; }

    [Schema("Pods that answer requests.")]
    public int ReadyReplicas { get; set; }

    [Schema("Pods made from the current spec.")]
    public int UpdatedReplicas { get; set; }

    [Schema("GPUs per replica: the spec's number, or what auto was decided to be. Absent while it is undecided.")]
    public int? TensorParallelSize { get; set; }

    [Schema("How tensorParallelSize auto was decided.")]
    public SizingStatus? Sizing { get; set; }

    [Schema("What was decided for spec.autoscaling.")]
    public AutoscalingStatus? Autoscaling { get; set; }

    [Schema("How far each node's cache is with spec.model.preload.", ListMapKey = "node")]
    public List<PreloadStatus>? Preload { get; set; }

    [Schema("Label selector of the pods, for autoscalers.")]
    public string? Selector { get; set; }

    [Schema(
        "Ready, Progressing, Degraded, GpusAllocated, NodeTuned; Autoscaling with spec.autoscaling, Preloaded with spec.model.preload.",
        ListMapKey = "type")]
    public List<Condition>? Conditions { get; set; }

    [Schema("Which pod runs where, on which GPUs.")]
    public List<Placement>? Placements { get; set; }

    [Schema("Where the model can be reached.")]
    public Endpoints? Endpoints { get; set; }

    /// <summary>The same status with another number of replicas in it.</summary>
    public ModelDeploymentStatus With(AutoscalingStatus autoscaling)
    {
        var changed = (ModelDeploymentStatus)MemberwiseClone();
        (changed.Autoscaling, changed.DesiredReplicas) = (autoscaling, autoscaling.DesiredReplicas);
        return changed;
    }

    /// <summary>The same status with another decision in it.</summary>
    public ModelDeploymentStatus With(SizingStatus sizing)
    {
        var changed = (ModelDeploymentStatus)MemberwiseClone();
        (changed.Sizing, changed.TensorParallelSize) = (sizing, sizing.TensorParallelSize);
        return changed;
    }
}

internal sealed class Placement
{
    [Schema("Name of the pod.", Required = true)]
    public string Pod { get; set; } = "";

    [Schema("Node whose GPUs are booked.")]
    public string? Node { get; set; }

    /// <summary>GPU indices as strings.</summary>
    [Schema("Indices of the GPUs in ROCr's order.")]
    public List<string> Gpus { get; set; } = [];

    [Schema("UUIDs of the GPUs, where known.")]
    public List<string>? Uuids { get; set; }

    [Schema("The pod answers requests.")]
    public bool Ready { get; set; }
}

internal sealed class Endpoints
{
    [Schema("host:port of the gRPC services.")]
    public string? Grpc { get; set; }

    [Schema("Base URL of the OpenAI-compatible API.")]
    public string? Http { get; set; }
}
