using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>Deployments, ReplicaSets and DaemonSets are stored, not run: local mode has no controllers for them. What a real server refuses
/// is refused here too (k8s.io/kubernetes/pkg/apis/apps/validation): a selector that its own pods do not match, and changing the
/// selector.</summary>
internal sealed class WorkloadStrategy : ResourceStrategy
{
    public override void PrepareForCreate(JsonObject value)
    {
        Default(value);
        value["status"] = new JsonObject();
    }

    public override void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource) => Default(value);

    public override IEnumerable<FieldError> Validate(JsonObject value, JsonObject? old, string? subresource)
    {
        if (value.At("spec", "selector") is not JsonObject { Count: > 0 } selector)
        {
            yield return FieldError.Required("spec.selector");
            yield break;
        }
        var labels = value.At("spec", "template", "metadata", "labels");
        if ((selector["matchLabels"] as JsonObject ?? []).Any(wanted => labels.Text(wanted.Key) != wanted.Value.Text()))
        {
            yield return FieldError.Invalid(
                "spec.template.metadata.labels", JsonText.ToText(labels ?? new JsonObject()),
                "`selector` does not match template `labels`");
        }
        if (value.At("spec", "template", "spec", "containers") is not JsonArray { Count: > 0 })
        {
            yield return FieldError.Required("spec.template.spec.containers");
        }
        foreach (var error in ContainerNames.Validate(value.At("spec", "template", "spec"), "spec.template.spec"))
        {
            yield return error;
        }
        foreach (var error in PodUnions.Validate(value.At("spec", "template", "spec"), "spec.template.spec"))
        {
            yield return error;
        }
        if (old is not null && !JsonNode.DeepEquals(old.At("spec", "selector"), selector))
        {
            yield return FieldError.Invalid("spec.selector", JsonText.ToText(selector), "field is immutable");
        }
    }

    /// <summary>k8s.io/kubernetes/pkg/apis/apps/v1/defaults.go.</summary>
    private static void Default(JsonObject value)
    {
        var spec = value.Child("spec");
        switch (value.Text("kind"))
        {
            case "Deployment":
                spec.SetDefault("replicas", 1L);
                spec.SetDefault("revisionHistoryLimit", 10L);
                spec.SetDefault("progressDeadlineSeconds", 600L);
                DefaultUpdates(spec.Child("strategy"), "25%", "25%");
                break;
            case "DaemonSet":
                spec.SetDefault("revisionHistoryLimit", 10L);
                DefaultUpdates(spec.Child("updateStrategy"), 0L, 1L);
                break;
            default:
                spec.SetDefault("replicas", 1L);
                break;
        }

        if (spec.At("template", "spec") is JsonObject pod)
        {
            PodStrategy.DefaultSpec(pod);
        }
    }

    private static void DefaultUpdates(JsonObject strategy, JsonNode surge, JsonNode unavailable)
    {
        strategy.SetDefault("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate")
        {
            var rolling = strategy.Child("rollingUpdate");
            rolling.SetDefault("maxSurge", surge);
            rolling.SetDefault("maxUnavailable", unavailable);
        }
    }
}
