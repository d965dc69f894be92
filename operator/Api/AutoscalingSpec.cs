namespace Cluster.Operator.Api;

/// <summary>Between which bounds, and by what, the operator chooses the number of replicas. Decided by
/// <c>Reconciling/Autoscaling</c>.</summary>
/// <remarks>No field has a default in the schema: an absent object would come to be by it, and with it autoscaling.</remarks>
[SchemaRule(
    "has(self.targetOutstandingTokens) != has(self.targetQueueSeconds)",
    "give one of targetOutstandingTokens and targetQueueSeconds: what replicas are added by")]
[SchemaRule(
    "!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
    "minReplicas must not be above maxReplicas")]
internal sealed class AutoscalingSpec
{
    public const string DefaultScaleDownAfter = "5m";

    private const int DefaultMinReplicas = 1;

    [Schema(
        "Fewest replicas. Default: 1. With 0 the model is started by the first request, which the gateway holds until then.", Minimum = 0,
        Maximum = ModelDeploymentSpec.MostReplicas)]
    public int? MinReplicas { get; set; }

    [Schema("Most replicas.", Required = true, Minimum = 1, Maximum = ModelDeploymentSpec.MostReplicas)]
    public int MaxReplicas { get; set; }

    [Schema(
        "Tokens per replica that may be outstanding: those of prompts and answers that are still to be computed, of queued and running "
        + "requests alike. Replicas are added above it.", Minimum = 1)]
    public long? TargetOutstandingTokens { get; set; }

    [Schema(
        "Seconds that the oldest request may wait in the gateway's queue. Replicas are added above it.", Minimum = 0.1, Maximum = 3600)]
    public double? TargetQueueSeconds { get; set; }

    [Schema(
        "For how long fewer replicas must have been enough before some are taken away, and for how long no request must have come before "
        + "the last one is: such as 90s, 10m or 1h30m. Default: " + DefaultScaleDownAfter + ".",
        MaxLength = 16, Pattern = Durations.Pattern)]
    public string? ScaleDownAfter { get; set; }

    /// <summary>Fewest replicas, with the default.</summary>
    public int Least() => MinReplicas ?? DefaultMinReplicas;

    /// <summary>scaleDownAfter with its default, which stands in for what cannot be read, too: the validator has named it.</summary>
    public TimeSpan Window() =>
        Durations.TryParse(ScaleDownAfter ?? DefaultScaleDownAfter, out var window) ? window : TimeSpan.FromMinutes(5);
}
