using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Manifests;
using Cluster.Operator.NodeAgent;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Everything that a deployment's pods have in common: the manifest without name, node and GPUs, with the user's
/// podTemplate merged in. <see cref="WorkerPod"/> makes pods from it.</summary>
internal sealed class WorkerTemplate
{
    public const string ContainerName = "worker";

    /// <summary>Seconds the kubelet waits beyond the preStop hook and drainSeconds before it kills: time to abort what is left and to free
    /// the GPUs.</summary>
    private const int ExitSeconds = 15;

    private static readonly string[] DeviceVariables =
        ["ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "AMD_VISIBLE_DEVICES"];

    private WorkerTemplate(JsonObject manifest)
    {
        Manifest = manifest;

        // Without the owner: a deployment made anew adopts what one of its name left behind, and need not replace it.
        var anyones = manifest.DeepClone().AsObject();
        anyones["metadata"]!.AsObject().Remove("ownerReferences");
        Hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(CanonicalJson.Of(anyones))).AsSpan(0, 5));
        Requirements = PodRequirements.Of(manifest["spec"]!.AsObject());
        Asks = AsksOf(manifest);
    }

    /// <summary>A pod manifest; shared, not to be changed.</summary>
    public JsonObject Manifest { get; }

    /// <summary>10 hex digits over the manifest but for its owner: a pod with another hash is outdated.</summary>
    public string Hash { get; }

    public PodRequirements Requirements { get; }

    /// <summary>What each pod asks of its node beside GPUs.</summary>
    public NodeResources Asks { get; }

    /// <exception cref="InvalidModelDeploymentException">What spec.podTemplate says is of no type that a Pod has.</exception>
    private static NodeResources AsksOf(JsonObject manifest)
    {
        try
        {
            return NodeResources.Of(KubernetesJson.Read<V1Pod>(manifest, KubernetesJson.CachedFieldsOptions).Spec);
        }
        catch (Exception e) when (e is JsonException or FormatException or OverflowException)
        {
            throw new InvalidModelDeploymentException($"spec.podTemplate makes no pod: {e.Message}", e);
        }
    }

    /// <exception cref="InvalidModelDeploymentException">Something in the spec is wrong; the message lists all of it.</exception>
    public static void RequireValid(ModelDeployment deployment)
    {
        if (ModelDeploymentValidator.Validate(deployment) is { Count: > 0 } errors)
        {
            throw new InvalidModelDeploymentException(string.Join("; ", errors));
        }
    }

    /// <summary>What pods of a deployment ask of their nodes, however many GPUs each will have.</summary>
    /// <exception cref="InvalidModelDeploymentException">No pod can be made from this deployment.</exception>
    public static PodRequirements RequirementsOf(ModelDeployment deployment, WorkerOptions options)
    {
        RequireValid(deployment);

        // The largest degree, since some settings are refused with a small one.
        return For(deployment.Sized(TensorParallelSize.Largest), options).Requirements;
    }

    /// <param name="deployment">With a number for tensorParallelSize.</param>
    /// <exception cref="InvalidModelDeploymentException">No pod can be made from this deployment.</exception>
    public static WorkerTemplate For(ModelDeployment deployment, WorkerOptions options)
    {
        var name = deployment.Metadata.Name;
        RequireValid(deployment);
        if (deployment.Spec.TensorParallelSize.IsAuto)
        {
            throw new ArgumentException("tensorParallelSize auto has to be decided first", nameof(deployment));
        }

        JsonObject manifest = new()
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject(),
            ["spec"] = WorkerPodSpec.For(deployment, options),
        };
        manifest["spec"]!["terminationGracePeriodSeconds"] = WorkerPodSpec.PreStopSeconds + deployment.Spec.DrainSeconds + ExitSeconds;
        manifest = Overlay(manifest, deployment.Spec.PodTemplate, options.Policy);

        // After the overlay: these say whose pod it is, which is not the user's to change.
        var metadata = manifest["metadata"]!.AsObject();
        metadata.Remove("name");
        metadata["namespace"] = deployment.Metadata.NamespaceProperty;
        metadata["labels"] = WithAll(
            metadata["labels"],
            Labels(name)
                .Append(KeyValuePair.Create(NodeAnnotations.NumaBalancingRequest, deployment.Spec.Tuning.NumaBalancing.ToString())));
        metadata["ownerReferences"] = new JsonArray(OwnerReference(deployment));
        if (options.GatewayMasterKey is { } masterKey)
        {
            metadata["annotations"] = WithAll(
                metadata["annotations"], [KeyValuePair.Create(ApiNames.GatewayKeyAnnotation, GatewaySecret.IdOf(masterKey, deployment))]);
        }

        return new WorkerTemplate(manifest);
    }

    /// <summary>Labels of everything the operator makes for a deployment.</summary>
    public static Dictionary<string, string> Labels(string deployment) => new(StringComparer.Ordinal)
    {
        ["app.kubernetes.io/name"] = "cluster-worker",
        ["app.kubernetes.io/instance"] = deployment,
        ["app.kubernetes.io/component"] = "worker",
        ["app.kubernetes.io/managed-by"] = "cluster-operator",
        [ApiNames.DeploymentLabel] = deployment,
    };

    public static JsonObject OwnerReference(ModelDeployment deployment) => new()
    {
        ["apiVersion"] = ApiNames.ApiVersion,
        ["kind"] = ApiNames.Kind,
        ["name"] = deployment.Metadata.Name,
        ["uid"] = deployment.Metadata.Uid,
        ["controller"] = true,
        ["blockOwnerDeletion"] = true,
    };

    /// <param name="labels">A JSON object of strings or null; <paramref name="forced"/> wins.</param>
    public static JsonObject WithAll(JsonNode? labels, IEnumerable<KeyValuePair<string, string>> forced)
    {
        var result = labels?.DeepClone() as JsonObject ?? [];
        foreach ((var key, var value) in forced)
        {
            result[key] = value;
        }

        return result;
    }

    private static JsonObject Overlay(JsonObject manifest, JsonObject? podTemplate, PodPolicy policy)
    {
        if (podTemplate is null)
        {
            return manifest;
        }

        JsonNode? ours = EnvironmentOf(manifest);
        JsonObject merged;
        try
        {
            merged = TemplateMerge.Apply(manifest, podTemplate);
        }
        catch (FormatException e)
        {
            throw new InvalidModelDeploymentException($"spec.podTemplate: {e.Message}", e);
        }

        if (merged["spec"] is not JsonObject spec || merged["metadata"] is not JsonObject || WorkerContainer(merged) is null)
        {
            throw new InvalidModelDeploymentException($"spec.podTemplate: leaves no metadata, no spec or no container '{ContainerName}'");
        }

        if (spec["restartPolicy"]?.ToString() != "Always")
        {
            throw new InvalidModelDeploymentException(
                "spec.podTemplate.spec.restartPolicy: a worker serves until it is deleted; only Always makes sense");
        }

        if (!JsonNode.DeepEquals(ours, EnvironmentOf(merged)))
        {
            throw new InvalidModelDeploymentException(
                $"spec.podTemplate: the operator sets {string.Join(", ", DeviceVariables)} itself, or leaves them unset on purpose");
        }

        if (PodOverlayRules.Check(manifest, merged, policy) is { Count: > 0 } refused)
        {
            throw new InvalidModelDeploymentException(string.Join("; ", refused));
        }

        var impossible = PodUnions.Validate(spec, "spec.podTemplate.spec").ToList();
        return impossible.Count == 0 ? merged : throw new InvalidModelDeploymentException(string.Join("; ", impossible));
    }

    /// <summary>The container called <see cref="ContainerName"/> of a pod manifest.</summary>
    public static JsonObject? WorkerContainer(JsonObject manifest) =>
        manifest["spec"]?["containers"]?.AsArray().OfType<JsonObject>().FirstOrDefault(c => c["name"]?.ToString() == ContainerName);

    public static bool IsDeviceVariable(string name) => DeviceVariables.Contains(name);

    private static JsonArray EnvironmentOf(JsonObject manifest) =>
        new([
            .. (WorkerContainer(manifest)?["env"] as JsonArray ?? []).OfType<JsonObject>()
                .Where(e => IsDeviceVariable(e["name"]?.ToString() ?? "")).Select(e => e.DeepClone())]);
}
