using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps a deployment's PodDisruptionBudget, so that <c>kubectl drain</c> and autoscalers take no more replicas at a time
/// than a rollout would. Called by <see cref="ModelDeploymentReconciler"/>; the garbage collector deletes it with the deployment.</summary>
internal sealed class WorkerBudget(IKubernetesClient client, ObjectStore<V1PodDisruptionBudget> budgets)
{
    // Not the resourceVersion: a budget's status changes with every pod.
    private readonly OwnedObjects<V1PodDisruptionBudget> _owned = new(
        client, budgets, metadata => metadata.Generation?.ToString(CultureInfo.InvariantCulture));

    /// <exception cref="InvalidModelDeploymentException">A budget of that name exists and is somebody else's.</exception>
    public Task ApplyAsync(ModelDeployment deployment, CancellationToken cancellationToken) =>
        _owned.ApplyAsync(deployment, Manifest(deployment), cancellationToken);

    /// <summary>The deployment is gone.</summary>
    public void Forget(NamespacedName deployment) => _owned.Forget(deployment);

    public static JsonObject Manifest(ModelDeployment deployment) =>
        OwnedObjects<V1PodDisruptionBudget>.Manifest(deployment, deployment.Metadata.Name, new JsonObject
        {
            // Never 0, as a rollout that surges instead may have it: no node could ever be drained.
            ["maxUnavailable"] = Math.Max(1, deployment.Spec.Rollout.MaxUnavailable),
            ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { [ApiNames.DeploymentLabel] = deployment.Metadata.Name } },
            // A worker that does not serve has nothing to lose, and must not hold up a drain.
            ["unhealthyPodEvictionPolicy"] = "AlwaysAllow",
        });
}
