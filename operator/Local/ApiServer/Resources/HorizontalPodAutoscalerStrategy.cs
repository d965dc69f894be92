using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>autoscaling/v2 HorizontalPodAutoscalers are stored, not acted on: local mode has no metrics API. Bounds and target are checked
/// as a real server does (k8s.io/kubernetes/pkg/apis/autoscaling/validation).</summary>
internal class HorizontalPodAutoscalerStrategy : ResourceStrategy
{
    public override void PrepareForCreate(JsonObject value)
    {
        value.Child("spec").SetDefault("minReplicas", 1L);
        value["status"] = new JsonObject { ["currentReplicas"] = 0L, ["desiredReplicas"] = 0L };
    }

    public override void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource) =>
        value.Child("spec").SetDefault("minReplicas", 1L);

    public override IEnumerable<FieldError> Validate(JsonObject value, JsonObject? old, string? subresource)
    {
        var spec = value["spec"];
        foreach (var field in new[] { "kind", "name" })
        {
            if (spec.Text("scaleTargetRef", field) is not { Length: > 0 })
            {
                yield return FieldError.Required($"spec.scaleTargetRef.{field}");
            }
        }
        var (least, most) = (spec.Integer("minReplicas") ?? 1, spec.Integer("maxReplicas") ?? 0);
        if (least < 1)
        {
            yield return FieldError.Invalid("spec.minReplicas", $"{least}", "must be greater than or equal to 1");
        }
        if (most < 1)
        {
            yield return FieldError.Invalid("spec.maxReplicas", $"{most}", "must be greater than 0");
        }
        else if (most < least)
        {
            yield return FieldError.Invalid("spec.maxReplicas", $"{most}", "must be greater than or equal to `minReplicas`");
        }
    }
}
