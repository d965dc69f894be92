using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>Writes objects that belong to a deployment, by server-side apply and only when they are missing or different.
/// Called by <see cref="WorkerServices"/> and <see cref="WorkerBudget"/>.</summary>
internal sealed class OwnedObjects<T>(IKubernetesClient client, ObjectStore<T> cache)
    where T : KubernetesObject, IKubernetesKind
{
    private const string FieldManager = "cluster-operator";
    private const string HashAnnotation = ApiNames.Group + "/applied-hash";

    /// <exception cref="InvalidModelDeploymentException">An object of that name exists and is somebody else's.</exception>
    public async Task ApplyAsync(ModelDeployment deployment, JsonObject manifest, CancellationToken cancellationToken)
    {
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(CanonicalJson.Of(manifest))).AsSpan(0, 5));
        NamespacedName key = new(deployment.Metadata.Namespace ?? "", manifest["metadata"]!["name"]!.ToString());
        T? cached = cache.Get(key);
        if (cached?.Metadata.Annotations?.GetValueOrDefault(HashAnnotation) != hash)
        {
            ThrowIfForeign(cached ?? await FindAsync(key, cancellationToken).ConfigureAwait(false), deployment);
            manifest["metadata"]!["annotations"] = new JsonObject { [HashAnnotation] = hash };
            await client.ApplyAsync<T>(manifest, FieldManager, force: true, subresource: null, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The head of such an object: owned by the deployment, and found by <see cref="WorkerServices.Selector"/>.</summary>
    public static JsonObject Manifest(ModelDeployment deployment, string name, JsonObject spec) => new()
    {
        ["apiVersion"] = T.Definition.ApiVersion,
        ["kind"] = T.Definition.Kind,
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["namespace"] = deployment.Metadata.Namespace,
            ["labels"] = WorkerTemplate.WithAll(null, WorkerTemplate.Labels(deployment.Metadata.Name)),
            ["ownerReferences"] = new JsonArray(WorkerTemplate.OwnerReference(deployment)),
        },
        ["spec"] = spec,
    };

    private async Task<T?> FindAsync(NamespacedName key, CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync<T>(key.Namespace, key.Name, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Applying over what somebody else made would take it from them: a service's clients would end up here.</summary>
    private static void ThrowIfForeign(T? existing, ModelDeployment deployment)
    {
        if (existing is not null && existing.Metadata.OwnerReferences?.Exists(o => o.Uid == deployment.Metadata.Uid) != true)
        {
            string kind = T.Definition.Kind;
            throw new InvalidModelDeploymentException(
                $"{char.ToLowerInvariant(kind[0])}{kind.AsSpan(1)} '{existing.Metadata.Name}' already exists and does not belong to this ModelDeployment; rename one of them");
        }
    }
}
