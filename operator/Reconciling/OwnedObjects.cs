using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s;
using k8s.Models;
using KubernetesException = Cluster.Operator.Kubernetes.KubernetesException;

namespace Cluster.Operator.Reconciling;

/// <summary>Writes objects that belong to a deployment, by server-side apply and only when they are missing, different, or changed
/// by somebody since: what we set is ours. Called by <see cref="WorkerServices"/>,
/// <see cref="WorkerBudget"/> and <see cref="WorkerAccount"/>.</summary>
/// <param name="versionOf">What changes whenever somebody writes such an object, and as rarely otherwise as the kind allows.</param>
internal sealed class OwnedObjects<T>(IKubernetesClient client, ObjectStore<T> cache, Func<V1ObjectMeta, string?> versionOf)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private const string FieldManager = "cluster-operator";
    private const string HashAnnotation = ApiNames.Group + "/applied-hash";

    // Versions that are as we want them: the one our last apply made, and the older one that the cache still shows until then.
    private readonly ConcurrentDictionary<NamespacedName, (string? Seen, string? Made)> _applied = new();

    /// <exception cref="InvalidModelDeploymentException">An object of that name exists and is somebody else's.</exception>
    /// <exception cref="PredecessorException">It was an earlier deployment's, and will go.</exception>
    public async Task ApplyAsync(ModelDeployment deployment, JsonObject manifest, CancellationToken cancellationToken)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(CanonicalJson.Of(manifest))).AsSpan(0, 5));
        NamespacedName key = new(deployment.Metadata.NamespaceProperty ?? "", manifest["metadata"]!["name"]!.ToString());
        var cached = cache.Get(key);
        var version = cached is null ? null : versionOf(cached.Metadata);
        var isOurs = _applied.TryGetValue(key, out var known) && (version == known.Seen || version == known.Made);
        if (!isOurs || cached?.GetAnnotation(HashAnnotation) != hash)
        {
            var existing = cached ?? await FindAsync(key, cancellationToken);
            ThrowIfForeign(existing, deployment);
            if (cached is null
                && existing?.GetAnnotation(HashAnnotation) == hash
                && existing.Metadata.OwnerReferences?.Any(o => o.Uid == deployment.Metadata.Uid) == true)
            {
                return; // As we made it; of a kind without a cache, or one that lags.
            }

            manifest["metadata"]!["annotations"] = new JsonObject { [HashAnnotation] = hash };
            var made = await client.ApplyAsync<T>(manifest, FieldManager, force: true, subresource: null, cancellationToken);
            _applied[key] = (version, versionOf(made.Metadata));
        }
    }

    /// <summary>The object's deployment is gone.</summary>
    public void Forget(NamespacedName key) => _applied.TryRemove(key, out _);

    /// <summary>The head of such an object: owned by the deployment, and found by <see cref="WorkerServices.Selector"/>.</summary>
    public static JsonObject Manifest(ModelDeployment deployment, string name, JsonObject spec)
    {
        var manifest = Manifest(deployment, name);
        manifest["spec"] = spec;
        return manifest;
    }

    /// <summary>The same for a kind without a spec.</summary>
    public static JsonObject Manifest(ModelDeployment deployment, string name) => new()
    {
        ["apiVersion"] = ResourceDefinition.Of<T>().ApiVersion,
        ["kind"] = ResourceDefinition.Of<T>().Kind,
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["namespace"] = deployment.Metadata.NamespaceProperty,
            ["labels"] = WorkerTemplate.WithAll(null, WorkerTemplate.Labels(deployment.Metadata.Name)),
            ["ownerReferences"] = new JsonArray(WorkerTemplate.OwnerReference(deployment)),
        },
    };

    private async Task<T?> FindAsync(NamespacedName key, CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync<T>(key.Namespace, key.Name, cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Applying over what somebody else made would take it from them: a service's clients would end up here. What has our labels
    /// and no controller was left behind by a deployment of this name, and is adopted.</summary>
    private static void ThrowIfForeign(T? existing, ModelDeployment deployment)
    {
        if (existing?.Metadata.OwnerReferences?.FirstOrDefault(o => o.Controller == true) is { Kind: ApiNames.Kind } owner
            && owner.Name == deployment.Metadata.Name
            && owner.Uid != deployment.Metadata.Uid)
        {
            throw new PredecessorException(
                $"{KindOf()} '{existing.Metadata.Name}' of an earlier ModelDeployment of this name awaits garbage collection");
        }

        if (existing is not null
            && existing.Metadata.OwnerReferences?.Any(o => o.Uid == deployment.Metadata.Uid) != true
            && !IsOrphan(existing, deployment))
        {
            throw new InvalidModelDeploymentException(
                $"{KindOf()} '{existing.Metadata.Name}' already exists and does not belong to "
                + "this ModelDeployment; rename one of them");
        }
    }

    private static string KindOf()
    {
        var kind = ResourceDefinition.Of<T>().Kind;
        return $"{char.ToLowerInvariant(kind[0])}{kind.AsSpan(1)}";
    }

    private static bool IsOrphan(T existing, ModelDeployment deployment) =>
        existing.Metadata.OwnerReferences?.Any(o => o.Controller == true) != true
        && WorkerTemplate.Labels(deployment.Metadata.Name).All(label => existing.GetLabel(label.Key) == label.Value);
}
