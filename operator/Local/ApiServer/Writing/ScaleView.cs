using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Selectors;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>The scale subresource: an <c>autoscaling/v1</c> Scale made from an object, and a changed Scale put back into it.</summary>
internal static class ScaleView
{
    public static JsonObject Of(JsonObject value, ResourceType type)
    {
        var paths = type.Scale!;
        var metadata = new JsonObject();
        foreach (var name in new[] { "name", "namespace", "uid", "resourceVersion", "creationTimestamp" })
        {
            if (value.At("metadata", name) is { } field)
            {
                metadata[name] = field.DeepClone();
            }
        }
        var status = new JsonObject { ["replicas"] = value.Integer(paths.StatusReplicas) ?? 0 };
        var selector = paths.LabelSelector is { } path ? value.Text(path)
            : value.At("spec", "selector") is JsonObject labels && !type.IsCustom ? LabelSelector.Text(labels)
            : null;
        if (selector is { Length: > 0 })
        {
            status["selector"] = selector;
        }
        return new JsonObject
        {
            ["kind"] = "Scale",
            ["apiVersion"] = "autoscaling/v1",
            ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["replicas"] = value.Integer(paths.SpecReplicas) ?? 0 },
            ["status"] = status,
        };
    }

    /// <returns>A copy of <paramref name="value"/> with the scale's replicas and version.</returns>
    /// <exception cref="ApiException">422 when the replicas are not a number that is zero or more.</exception>
    public static JsonObject Put(JsonObject value, JsonNode? scale, ResourceType type)
    {
        var replicas = scale.At("spec", "replicas") is null ? 0 : scale.Integer("spec", "replicas") ?? -1;
        if (replicas < 0)
        {
            throw ApiErrors.Invalid(
                type, value.Name(),
                [FieldError.Invalid("spec.replicas", JsonText.ToText(scale.At("spec", "replicas")), "must be greater than or equal to 0")]);
        }
        var next = value.Copy();
        var parent = next;
        foreach (var name in type.Scale!.SpecReplicas[..^1])
        {
            parent = parent.Child(name);
        }
        parent[type.Scale.SpecReplicas[^1]] = replicas;
        if (scale.Text("metadata", "resourceVersion") is { Length: > 0 } version)
        {
            next.Metadata()["resourceVersion"] = version;
        }
        return next;
    }
}
