using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Reconciling.Preloading;

/// <summary>Makes the pods that fill caches for <c>spec.model.preload</c>: the worker's image, its volumes, its environment, and
/// <c>cluster-worker fetch</c> in place of serving. They hold no GPUs and have no privileges.</summary>
internal static class PreloadPod
{
    /// <summary>Label: the deployment that a pod fills caches for. Not the label that services select by.</summary>
    public const string Label = ApiNames.Group + "/preload";

    /// <summary>Label: hash of all that the pod is made from but its node.</summary>
    public const string HashLabel = ApiNames.Group + "/preload-hash";

    /// <summary>Pod annotation: whose cache it fills; <see cref="Shared"/> or a node.</summary>
    public const string TargetAnnotation = ApiNames.Group + "/preload-target";

    /// <summary>The target of a cache that all nodes share.</summary>
    public const string Shared = "all";

    private const string ContainerName = "fetch";

    /// <summary>Of a pod that serves: they choose the node, name who it is and where images come from.</summary>
    private static readonly string[] KeptOfPod =
    [
        "serviceAccountName", "automountServiceAccountToken", "securityContext", "imagePullSecrets", "nodeSelector", "affinity",
        "tolerations", "priorityClassName", "dnsConfig", "dnsPolicy", "hostAliases",
    ];

    /// <summary>The pod of any target: without a name and a node.</summary>
    /// <exception cref="InvalidModelDeploymentException">What would be filled ends with its pod.</exception>
    public static JsonObject Template(ModelDeployment deployment, WorkerTemplate template)
    {
        var (models, volumes) = Needed(deployment.Spec);
        var serving = template.Manifest["spec"]!.AsObject();
        var worker = WorkerTemplate.WorkerContainer(template.Manifest)!;
        JsonObject container = new()
        {
            ["name"] = ContainerName,
            ["image"] = worker["image"]?.DeepClone(),
            ["args"] = new JsonArray(["fetch", .. models.Select(model => (JsonNode)model)]),
            ["env"] = new JsonArray([
                .. (worker["env"] as JsonArray ?? []).OfType<JsonObject>().Where(e => IsFetchers(e.Text("name")))
                    .Select(e => e.DeepClone())]),
            ["volumeMounts"] = new JsonArray([
                .. (worker["volumeMounts"] as JsonArray ?? []).OfType<JsonObject>().Where(m => volumes.Contains(m.Text("name") ?? ""))
                    .Select(m => m.DeepClone())]),
            ["securityContext"] = new JsonObject
            {
                ["allowPrivilegeEscalation"] = false,
                ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
            },
            ["terminationMessagePolicy"] = "FallbackToLogsOnError",
        };
        JsonObject spec = new()
        {
            ["restartPolicy"] = "OnFailure",
            ["containers"] = new JsonArray(container),
            ["volumes"] = new JsonArray([
                .. (serving["volumes"] as JsonArray ?? []).OfType<JsonObject>().Where(v => volumes.Contains(v.Text("name") ?? ""))
                    .Select(v => v.DeepClone())]),
        };
        foreach (var field in KeptOfPod)
        {
            if (serving[field] is { } value)
            {
                spec[field] = value.DeepClone();
            }
        }

        if (spec["volumes"]!.AsArray().Any(v => v!["name"]!.ToString() == WorkerPodSpec.HubCacheVolume && v["emptyDir"] is not null))
        {
            throw new InvalidModelDeploymentException(
                "spec.model.preload: the cache would end with the pod that fills it; give spec.model.cache, or the operator --hub-cache");
        }

        return spec;
    }

    /// <summary>Whether one pod fills the cache of all nodes.</summary>
    public static bool IsShared(JsonObject spec) =>
        spec["volumes"]!.AsArray().All(v => v!["persistentVolumeClaim"] is not null);

    public static string HashOf(JsonObject spec) => Digest(CanonicalJson.Of(spec));

    /// <param name="spec">From <see cref="Template"/>.</param>
    /// <param name="target">A node, or <see cref="Shared"/>.</param>
    public static JsonObject Build(ModelDeployment deployment, JsonObject spec, string target)
    {
        var hash = HashOf(spec);
        spec = spec.DeepClone().AsObject();
        if (target != Shared)
        {
            WorkerPod.Pin(spec, target);
        }

        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject
            {
                // The same for the same pod: one that a stale cache does not show cannot be made twice.
                ["name"] = $"{deployment.Metadata.Name}-preload-{Digest($"{hash} {target}")}",
                ["namespace"] = deployment.Metadata.NamespaceProperty,
                ["labels"] = new JsonObject
                {
                    ["app.kubernetes.io/name"] = "cluster-preload",
                    ["app.kubernetes.io/instance"] = deployment.Metadata.Name,
                    ["app.kubernetes.io/managed-by"] = "cluster-operator",
                    [Label] = deployment.Metadata.Name,
                    [HashLabel] = hash,
                },
                ["annotations"] = new JsonObject { [TargetAnnotation] = target },

                // An owner and not the controller: whatever that one controls is a replica.
                ["ownerReferences"] = new JsonArray(new JsonObject
                {
                    ["apiVersion"] = ApiNames.ApiVersion,
                    ["kind"] = ApiNames.Kind,
                    ["name"] = deployment.Metadata.Name,
                    ["uid"] = deployment.Metadata.Uid,
                }),
            },
            ["spec"] = spec,
        };
    }

    /// <summary>What <c>fetch</c> is told, and the volumes that it needs for it.</summary>
    private static (List<string> Models, HashSet<string> Volumes) Needed(ModelDeploymentSpec spec)
    {
        List<string> models = [];
        HashSet<string> volumes = new(StringComparer.Ordinal);
        Add(spec.Model.Source, WorkerPodSpec.Model);
        if (spec.Engine.Speculative is { Model: not WorkerFlags.Ngram } drafting)
        {
            Add(drafting.Model, WorkerPodSpec.Draft);
        }

        return (models, volumes);

        void Add(string source, Func<string, ModelVolume> place)
        {
            if (ModelSource.Parse(source) is ModelSource.Hf or ModelSource.Oci)
            {
                var model = place(source);
                models.Add(model.Argument);
                volumes.Add(model.Volume?.Text("name") ?? WorkerPodSpec.HubCacheVolume);
            }
        }
    }

    /// <summary>Not what chooses GPUs, nor the key of gateways, which this pod has no use for.</summary>
    private static bool IsFetchers(string? name) =>
        name is not null && !WorkerTemplate.IsDeviceVariable(name) && name is not (GatewayKey.Variable or "NCCL_MIN_NCHANNELS");

    private static string Digest(string text) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 5));
}
