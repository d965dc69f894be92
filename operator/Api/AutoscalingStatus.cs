namespace Cluster.Operator.Api;

/// <summary>What was decided for <c>spec.autoscaling</c>: part of the status, and all that the next operator must know of it.</summary>
internal sealed class AutoscalingStatus
{
    [Schema("Replicas that the operator wants.")]
    public int DesiredReplicas { get; set; }

    [Schema("Why the number was last changed.")]
    public string? Message { get; set; }

    [Schema("When the number was last changed.")]
    public DateTimeOffset? LastScaleTime { get; set; }

    [Schema("Since when fewer replicas are enough. Absent while all are needed.")]
    public DateTimeOffset? LowSince { get; set; }

    [Schema("Most replicas that were needed since then.", Minimum = 0)]
    public int? LowPeak { get; set; }

    [Schema(
        "Requests that a replica runs at once while others wait, as last seen. With targetQueueSeconds it says how many replicas the "
        + "running requests need.", Minimum = 0)]
    public double? RequestsPerReplica { get; set; }
}
