using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps a deployment's two services: <c>NAME</c> spreads connections over ready pods, headless <c>NAME-pods</c> lets
/// clients find each pod. Written by server-side apply, and only when missing or different.</summary>
internal sealed class WorkerServices(IKubernetesClient client, ObjectStore<Service> services)
{
    public const string FieldManager = "cluster-operator";

    /// <summary>Label selector of every service the operator makes.</summary>
    public const string Selector = "app.kubernetes.io/managed-by=cluster-operator";

    private const string HashAnnotation = ApiNames.Group + "/applied-hash";

    /// <exception cref="InvalidModelDeploymentException">A service of that name exists and is somebody else's.</exception>
    public async Task ApplyAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        foreach (JsonObject manifest in new[] { Manifest(deployment, headless: false), Manifest(deployment, headless: true) })
        {
            string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(CanonicalJson.Of(manifest))).AsSpan(0, 5));
            NamespacedName key = new(deployment.Metadata.Namespace ?? "", manifest["metadata"]!["name"]!.ToString());
            Service? cached = services.Get(key);
            if (cached?.Metadata.Annotations?.GetValueOrDefault(HashAnnotation) != hash)
            {
                ThrowIfForeign(cached ?? await FindAsync(key, cancellationToken).ConfigureAwait(false), deployment);
                manifest["metadata"]!["annotations"] = new JsonObject { [HashAnnotation] = hash };
                await client.ApplyAsync<Service>(manifest, FieldManager, force: true, subresource: null, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<Service?> FindAsync(NamespacedName key, CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync<Service>(key.Namespace, key.Name, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Applying over a service that somebody else made would redirect their clients.</summary>
    private static void ThrowIfForeign(Service? existing, ModelDeployment deployment)
    {
        if (existing is not null && existing.Metadata.OwnerReferences?.Exists(o => o.Uid == deployment.Metadata.Uid) != true)
        {
            throw new InvalidModelDeploymentException($"service '{existing.Metadata.Name}' already exists and does not belong to this ModelDeployment; rename one of them");
        }
    }

    public static JsonObject Manifest(ModelDeployment deployment, bool headless)
    {
        string name = deployment.Metadata.Name;
        JsonObject spec = new()
        {
            ["type"] = "ClusterIP",
            ["selector"] = new JsonObject { [ApiNames.DeploymentLabel] = name },
            ["ports"] = new JsonArray(Port("http", EngineArguments.HttpPort, appProtocol: null), Port("grpc", EngineArguments.GrpcPort, "kubernetes.io/h2c")),
        };
        if (headless)
        {
            spec["clusterIP"] = "None";
        }

        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Service",
            ["metadata"] = new JsonObject
            {
                ["name"] = headless ? name + "-pods" : name,
                ["namespace"] = deployment.Metadata.Namespace,
                ["labels"] = WorkerTemplate.WithAll(null, WorkerTemplate.Labels(name)),
                ["ownerReferences"] = new JsonArray(WorkerTemplate.OwnerReference(deployment)),
            },
            ["spec"] = spec,
        };
    }

    private static JsonObject Port(string name, int port, string? appProtocol)
    {
        JsonObject result = new() { ["name"] = name, ["port"] = port, ["targetPort"] = name, ["protocol"] = "TCP" };
        if (appProtocol is not null)
        {
            result["appProtocol"] = appProtocol;
        }

        return result;
    }
}
