using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>autoscaling/v1, which <c>kubectl autoscale</c> speaks: one target for the CPU where v2 has metrics. Stored as v2.</summary>
internal sealed class FirstHorizontalPodAutoscalerStrategy : HorizontalPodAutoscalerStrategy
{
    private const string Target = "targetCPUUtilizationPercentage";

    public override void PrepareForCreate(JsonObject value)
    {
        Store(value);
        base.PrepareForCreate(value);
    }

    public override void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource)
    {
        Store(value);
        base.PrepareForUpdate(value, old, subresource);
    }

    public override void Render(JsonObject copy)
    {
        var spec = copy.Child("spec");
        var cpu = spec.Items("metrics").FirstOrDefault(metric => metric.Text("resource", "name") == "cpu");
        if (cpu.Integer("resource", "target", "averageUtilization") is { } percent)
        {
            spec[Target] = percent;
        }

        spec.Remove("metrics");
    }

    private static void Store(JsonObject value)
    {
        value["apiVersion"] = "autoscaling/v2";
        var spec = value.Child("spec");
        if (spec.Integer(Target) is { } percent)
        {
            spec["metrics"] = new JsonArray(new JsonObject
            {
                ["type"] = "Resource",
                ["resource"] = new JsonObject
                {
                    ["name"] = "cpu",
                    ["target"] = new JsonObject { ["type"] = "Utilization", ["averageUtilization"] = percent },
                },
            });
        }

        spec.Remove(Target);
    }
}
