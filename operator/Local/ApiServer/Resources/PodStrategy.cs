using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>Pod defaults (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go, the fields clients show), quality of service, spec immutability
/// and graceful deletion.</summary>
internal sealed class PodStrategy : ResourceStrategy
{
    private const long DefaultGraceSeconds = 30;

    public override void PrepareForCreate(JsonObject value)
    {
        var spec = value.Child("spec");
        DefaultSpec(spec);
        value["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = QualityOfService(spec) };
    }

    public override void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource) => DefaultSpec(value.Child("spec"));

    public override IEnumerable<FieldError> Validate(JsonObject value, JsonObject? old, string? subresource)
    {
        var containers = value.At("spec", "containers") as JsonArray;
        if (containers is not { Count: > 0 })
        {
            yield return FieldError.Required("spec.containers");
            yield break;
        }
        foreach (var error in ContainerNames.Validate(value["spec"], "spec"))
        {
            yield return error;
        }
        for (var i = 0; i < containers.Count; i++)
        {
            if (containers[i].Text("image") is not { Length: > 0 })
            {
                yield return FieldError.Required($"spec.containers[{i}].image");
            }
        }
        if (old is null)
        {
            foreach (var error in PodUnions.Validate(value["spec"], "spec"))
            {
                yield return error;
            }
        }
        if (old is not null && subresource is null && !JsonNode.DeepEquals(Frozen(value), Frozen(old)))
        {
            yield return FieldError.Forbidden(
                "spec",
                "pod updates may not change fields other than "
                + "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
                + "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
                + "negative)");
        }
    }

    public override long GracePeriodSeconds(JsonObject value, long? requested)
    {
        // Nothing runs, so there is nothing to wait for.
        if (value.Text("spec", "nodeName") is not { Length: > 0 } || value.Text("status", "phase") is "Succeeded" or "Failed")
        {
            return 0;
        }
        return Math.Max(0, requested ?? value.Integer("spec", "terminationGracePeriodSeconds") ?? DefaultGraceSeconds);
    }

    public static void DefaultSpec(JsonObject spec)
    {
        spec.SetDefault("restartPolicy", "Always");
        spec.SetDefault("terminationGracePeriodSeconds", DefaultGraceSeconds);
        spec.SetDefault("dnsPolicy", "ClusterFirst");
        spec.SetDefault("schedulerName", "default-scheduler");
        spec.SetDefault("enableServiceLinks", true);
        spec.SetDefault("securityContext", new JsonObject());
        foreach (var container in spec.Items("containers").Concat(spec.Items("initContainers")).OfType<JsonObject>())
        {
            DefaultContainer(container);
        }
        foreach (var volume in spec.Items("volumes").OfType<JsonObject>())
        {
            if (volume.Count == 1)
            {
                volume["emptyDir"] = new JsonObject();
            }
            (volume["hostPath"] as JsonObject)?.SetDefault("type", "");
            (volume["secret"] as JsonObject)?.SetDefault("defaultMode", 420L);
            (volume["configMap"] as JsonObject)?.SetDefault("defaultMode", 420L);
        }
    }

    private static void DefaultContainer(JsonObject container)
    {
        var image = container.Text("image") ?? "";
        var floating = image.EndsWith(":latest", StringComparison.Ordinal) || image.LastIndexOf(':') <= image.LastIndexOf('/');
        container.SetDefault("imagePullPolicy", floating && !image.Contains('@', StringComparison.Ordinal) ? "Always" : "IfNotPresent");
        container.SetDefault("resources", new JsonObject());
        container.SetDefault("terminationMessagePath", "/dev/termination-log");
        container.SetDefault("terminationMessagePolicy", "File");
        if (container.At("resources", "limits") is JsonObject limits)
        {
            var requests = container.Child("resources").Child("requests");
            foreach (var (name, quantity) in limits)
            {
                requests.SetDefault(name, quantity?.DeepClone());
            }
        }
        foreach (var port in container.Items("ports").OfType<JsonObject>())
        {
            port.SetDefault("protocol", "TCP");
        }
        foreach (var fieldRef in container.Items("env").Select(env => env.At("valueFrom", "fieldRef")).OfType<JsonObject>())
        {
            fieldRef.SetDefault("apiVersion", "v1");
        }
        foreach (var name in new[] { "livenessProbe", "readinessProbe", "startupProbe" })
        {
            if (container[name] is JsonObject probe)
            {
                probe.SetDefault("timeoutSeconds", 1L);
                probe.SetDefault("periodSeconds", 10L);
                probe.SetDefault("successThreshold", 1L);
                probe.SetDefault("failureThreshold", 3L);
                if (probe["httpGet"] is JsonObject get)
                {
                    get.SetDefault("path", "/");
                    get.SetDefault("scheme", "HTTP");
                }
            }
        }
    }

    private static string QualityOfService(JsonObject spec)
    {
        var any = false;
        var guaranteed = true;
        foreach (var container in spec.Items("containers"))
        {
            foreach (var name in new[] { "cpu", "memory" })
            {
                var request = container.Text("resources", "requests", name) ?? container.Integer("resources", "requests", name)?.ToString();
                var limit = container.Text("resources", "limits", name) ?? container.Integer("resources", "limits", name)?.ToString();
                any |= request is not null || limit is not null;
                guaranteed &= limit is not null && limit == request;
            }
        }
        return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
    }

    private static JsonObject Frozen(JsonObject pod)
    {
        var spec = (pod["spec"] as JsonObject)?.Copy() ?? [];
        spec.Remove("activeDeadlineSeconds");
        spec.Remove("tolerations");
        spec.Remove("terminationGracePeriodSeconds");
        spec.Remove("schedulingGates");
        foreach (var container in spec.Items("containers").Concat(spec.Items("initContainers")).OfType<JsonObject>())
        {
            container.Remove("image");
            container.Remove("imagePullPolicy");
        }
        return spec;
    }
}
