using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps the service account that a deployment's workers have for themselves: no role is bound to it and no token is mounted, so
/// that what the namespace's <c>default</c> may do is nothing to them. Called by <see cref="ModelDeploymentReconciler"/>.</summary>
internal sealed class WorkerAccount(IKubernetesClient client, ObjectStore<V1ServiceAccount> accounts)
{
    private readonly OwnedObjects<V1ServiceAccount> _owned = new(client, accounts, metadata => metadata.ResourceVersion);

    /// <exception cref="InvalidModelDeploymentException">An account of that name exists and is somebody else's.</exception>
    public Task ApplyAsync(ModelDeployment deployment, CancellationToken cancellationToken) =>
        _owned.ApplyAsync(deployment, Manifest(deployment), cancellationToken);

    /// <summary>The deployment is gone.</summary>
    public void Forget(NamespacedName deployment) => _owned.Forget(deployment with { Name = NameOf(deployment.Name) });

    public static string NameOf(string deployment) => deployment + "-worker";

    public static JsonObject Manifest(ModelDeployment deployment)
    {
        var manifest = OwnedObjects<V1ServiceAccount>.Manifest(deployment, NameOf(deployment.Metadata.Name));
        manifest["automountServiceAccountToken"] = false;
        return manifest;
    }
}
