using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps the Secret from which a deployment's workers know the gateway. Called by <see cref="DeploymentObjects"/>.</summary>
/// <remarks>The operator may create and patch Secrets, and not read them: there is no cache, and it is written blindly. Its type is our
/// own, which Kubernetes lets nobody change: somebody else's Secret of that name is refused rather than overwritten.</remarks>
internal sealed class GatewaySecret(IKubernetesClient client, byte[]? masterKey, TimeProvider time)
{
    private const string FieldManager = "cluster-operator";
    private const string Type = ApiNames.Group + "/gateway-key";

    /// <summary>How often it is written again while pods are not as they shall be: somebody may have deleted it.</summary>
    private static readonly TimeSpan Rewrite = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<NamespacedName, (string Key, long At)> _written = new();

    /// <summary>Does nothing for an operator without a master key.</summary>
    /// <param name="isSettled">All pods are there and ready: they have what they need.</param>
    public async Task ApplyAsync(ModelDeployment deployment, bool isSettled, CancellationToken cancellationToken)
    {
        if (masterKey is null)
        {
            return;
        }

        var name = NamespacedName.Of(deployment);
        var key = KeyOf(masterKey, deployment);
        if (_written.TryGetValue(name, out var written)
            && written.Key == key
            && (isSettled || time.GetElapsedTime(written.At) < Rewrite))
        {
            return;
        }

        await client.ApplyAsync<V1Secret>(Manifest(deployment, key), FieldManager, force: true, subresource: null, cancellationToken);
        _written[name] = (key, time.GetTimestamp());
    }

    /// <summary>The deployment is gone.</summary>
    public void Forget(NamespacedName deployment) => _written.TryRemove(deployment, out _);

    /// <summary>10 hex digits that tell one key from another and nothing of what it is. Pods carry them: one whose workers were started
    /// with another key is replaced, for the gateway could not use it.</summary>
    public static string IdOf(byte[] masterKey, ModelDeployment deployment) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(KeyOf(masterKey, deployment))).AsSpan(0, 5));

    /// <param name="key">Null for what <c>render</c> shows, which knows no uid.</param>
    public static JsonObject Manifest(ModelDeployment deployment, string? key)
    {
        var manifest = OwnedObjects<V1Secret>.Manifest(deployment, GatewayKey.SecretOf(deployment.Metadata.Name));

        // An owner, not a controller: there can be one controller only, and an earlier deployment of this name may still be it.
        foreach (var owner in manifest["metadata"]!["ownerReferences"]!.AsArray())
        {
            owner!.AsObject().Remove("controller");
            owner.AsObject().Remove("blockOwnerDeletion");
        }

        manifest["type"] = Type;

        // Not stringData, whose fields server-side apply does not own.
        manifest[key is null ? "stringData" : "data"] = new JsonObject
        {
            [GatewayKey.SecretKey] = key is null
                ? "(derived from the master key, the name and the uid)"
                : Convert.ToBase64String(Encoding.UTF8.GetBytes(key)),
        };
        return manifest;
    }

    /// <summary>The variable of the worker's container.</summary>
    public static JsonObject Variable(string deployment) => new()
    {
        ["name"] = GatewayKey.Variable,
        ["valueFrom"] = new JsonObject
        {
            ["secretKeyRef"] = new JsonObject { ["name"] = GatewayKey.SecretOf(deployment), ["key"] = GatewayKey.SecretKey },
        },
    };

    private static string KeyOf(byte[] masterKey, ModelDeployment deployment) => GatewayKey.Derive(
        masterKey, deployment.Metadata.NamespaceProperty ?? "", deployment.Metadata.Name, deployment.Metadata.Uid ?? "");
}
