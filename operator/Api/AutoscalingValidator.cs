namespace Cluster.Operator.Api;

/// <summary>Checks <c>spec.autoscaling</c> and <c>spec.routing</c>. Part of <see cref="ModelDeploymentValidator"/>.</summary>
internal static class AutoscalingValidator
{
    public static void Validate(ModelDeploymentSpec spec, List<ValidationError> errors)
    {
        if (spec.Routing?.Weight is { } weight and (< 0 or > RoutingSpec.MostWeight))
        {
            errors.Add(new("spec.routing.weight", ValidationReason.Invalid, $"{weight} must be from 0 to {RoutingSpec.MostWeight}"));
        }

        if (spec.Autoscaling is not { } autoscaling)
        {
            return;
        }

        if (spec.Replicas != 1)
        {
            errors.Add(new(
                "spec.replicas", ValidationReason.Forbidden,
                $"{spec.Replicas} would be ignored: with spec.autoscaling the operator chooses the number between minReplicas and "
                + "maxReplicas; leave it out, and let no HorizontalPodAutoscaler set it"));
        }

        if (autoscaling.MaxReplicas < 1)
        {
            errors.Add(new(
                "spec.autoscaling.maxReplicas", ValidationReason.Invalid, $"{autoscaling.MaxReplicas} must be at least 1"));
        }

        if (autoscaling.MinReplicas > autoscaling.MaxReplicas)
        {
            errors.Add(new(
                "spec.autoscaling.minReplicas", ValidationReason.Invalid,
                $"{autoscaling.MinReplicas} is above maxReplicas {autoscaling.MaxReplicas}"));
        }

        if ((autoscaling.TargetOutstandingTokens is null) == (autoscaling.TargetQueueSeconds is null))
        {
            errors.Add(new(
                "spec.autoscaling", ValidationReason.Invalid,
                "give one of targetOutstandingTokens and targetQueueSeconds: what replicas are added by"));
        }

        if (autoscaling.TargetOutstandingTokens < 1)
        {
            errors.Add(new(
                "spec.autoscaling.targetOutstandingTokens", ValidationReason.Invalid,
                $"{autoscaling.TargetOutstandingTokens} must be at least 1"));
        }

        if (autoscaling.TargetQueueSeconds is { } seconds and not (>= 0.1 and <= 3600))
        {
            errors.Add(new(
                "spec.autoscaling.targetQueueSeconds", ValidationReason.Invalid,
                FormattableString.Invariant($"{seconds} must be from 0.1 to 3600")));
        }

        if (autoscaling.ScaleDownAfter is { } text && !Durations.TryParse(text, out _))
        {
            errors.Add(new(
                "spec.autoscaling.scaleDownAfter", ValidationReason.Invalid,
                $"'{text}' must be a time such as 90s, 10m or 1h30m, at most 168h"));
        }
    }
}
