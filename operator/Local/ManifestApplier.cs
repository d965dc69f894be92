using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Yaml;
using k8s.Models;

namespace Cluster.Operator.Local;

/// <summary>Applies what <c>local -f</c> was given, as <c>kubectl apply --server-side</c> would.</summary>
internal static class ManifestApplier
{
    private const string FieldManager = "cluster-local";

    /// <returns>Namespace and name when the object is a ModelDeployment.</returns>
    /// <exception cref="CommandFailure">The API server refused it; the message has its reason and where the manifest stands.</exception>
    public static async Task<(string Namespace, string Name)?> ApplyAsync(
        IKubernetesClient client, Manifest manifest, CancellationToken cancellationToken)
    {
        var definition = manifest switch
        {
            { Kind: ApiNames.Kind } => ResourceDefinition.Of<ModelDeployment>(),
            { Kind: "Secret", ApiVersion: "v1" } => ResourceDefinition.Of<V1Secret>(),
            _ => throw new CommandFailure(
                $"{manifest.Origin}: local -f applies {ApiNames.Kind} and Secret objects; apply this {manifest.Kind} with kubectl once "
                + "the cluster runs"),
        };
        if (manifest.ApiVersion != definition.ApiVersion)
        {
            throw new CommandFailure(
                $"{manifest.Origin}: {manifest.Kind} has apiVersion '{manifest.ApiVersion}'; it must be '{definition.ApiVersion}'");
        }

        manifest.Object["metadata"]!["namespace"] ??= "default";
        try
        {
            if (manifest.Kind == ApiNames.Kind)
            {
                await client.ApplyAsync<ModelDeployment>(manifest.Object, FieldManager, force: true, subresource: null, cancellationToken);
                return (manifest.Namespace!, manifest.Name);
            }

            await client.ApplyAsync<V1Secret>(manifest.Object, FieldManager, force: true, subresource: null, cancellationToken);
            return null;
        }
        catch (KubernetesException exception)
        {
            throw new CommandFailure($"{manifest.Origin}: {exception.Message}", exception);
        }
    }
}
