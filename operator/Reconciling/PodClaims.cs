using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Makes ownership follow the label that the services select by, as a ReplicaSet does with its selector: a pod that lost the
/// label is released (and then replaced), an ownerless pod that has it is adopted. Called by <see cref="ModelDeploymentReconciler"/>
/// before it plans.</summary>
/// <remarks>Kubernetes' ControllerRefManager: pods that ended or are ending are left as they are; who is adopted or released is named by
/// uid, so that another pod of that name is never meant. A released pod keeps its GPU annotations, and with them its GPUs, until it is
/// deleted.</remarks>
internal sealed class PodClaims(IKubernetesClient client, Fleet fleet, EventRecorder events)
{
    /// <returns>Whether to stop here: what can be planned is known once the cache shows what was sent, and that change brings the
    /// deployment back. What the server refused is left as it is, and the rest goes on.</returns>
    public async Task<bool> ClaimAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        List<Replica> strays = [.. fleet.OwnedBy(deployment.Metadata.Uid!).Where(pod => IsActive(pod) && !Matches(pod, deployment))];
        List<Replica> orphans = [.. fleet.OrphansOf(NamespacedName.Of(deployment)).Where(IsActive)];
        var sent = false;
        foreach (var pod in strays)
        {
            if (await PatchAsync(pod, Release(deployment, pod), cancellationToken))
            {
                sent = true;
                await events.RecordAsync(
                    deployment, EventType.Warning, "ReleasedPod",
                    $"released pod {pod.Name}: its label {ApiNames.DeploymentLabel} is {pod.DeploymentLabel ?? "gone"}; {Holding(pod)}",
                    cancellationToken);
            }
        }

        if (orphans.Count > 0 && !await IsStillThereAsync(deployment, cancellationToken))
        {
            return true; // Its end is on its way to the cache.
        }

        foreach (var pod in orphans)
        {
            if (await PatchAsync(pod, Adopt(deployment, pod), cancellationToken))
            {
                sent = true;
                await events.RecordAsync(
                    deployment, EventType.Normal, "AdoptedPod",
                    $"adopted pod {pod.Name}: it has the label {ApiNames.DeploymentLabel} and no other owner", cancellationToken);
            }
        }

        return sent;
    }

    /// <summary>A pod that we have only asked for is as we made it.</summary>
    private static bool IsActive(Replica pod) => pod is { Uid: not null, Terminating: false, Finished: false };

    private static bool Matches(Replica pod, ModelDeployment deployment) => pod.DeploymentLabel == deployment.Metadata.Name;

    private static string Holding(Replica pod) => pod.HoldsGpus && pod.Gpus.Count > 0
        ? $"it holds {(pod.Gpus.Count == 1 ? "GPU" : "GPUs")} {string.Join(',', pod.Gpus)} of node {pod.Node} until it is deleted"
        : "it runs until it is deleted";

    private static JsonObject Release(ModelDeployment deployment, Replica pod) => Patch(
        pod, new JsonObject { ["$patch"] = "delete", ["uid"] = deployment.Metadata.Uid });

    private static JsonObject Adopt(ModelDeployment deployment, Replica pod) => Patch(pod, WorkerTemplate.OwnerReference(deployment));

    // With the uid: of another pod that has the name by now, the server refuses the patch.
    private static JsonObject Patch(Replica pod, JsonObject owner) => new()
    {
        ["metadata"] = new JsonObject { ["uid"] = pod.Uid, ["ownerReferences"] = new JsonArray(owner) },
    };

    /// <returns>False when there is nothing to do any more: the pod is gone, or somebody else's by now.</returns>
    private async Task<bool> PatchAsync(Replica pod, JsonObject patch, CancellationToken cancellationToken)
    {
        try
        {
            await client.PatchAsync<V1Pod>(
                pod.Pod.Metadata.NamespaceProperty, pod.Name, PatchType.StrategicMerge, patch, subresource: null, cancellationToken);
            return true;
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict || e.StatusCode == 422)
        {
            return false;
        }
    }

    /// <summary>The cache may be older than a deletion, and what is adopted by a deployment that is gone would be deleted with
    /// it.</summary>
    private async Task<bool> IsStillThereAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        try
        {
            var live = await client.GetAsync<ModelDeployment>(
                deployment.Metadata.NamespaceProperty, deployment.Metadata.Name, cancellationToken);
            return live.Metadata.Uid == deployment.Metadata.Uid && live.Metadata.DeletionTimestamp is null;
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return false;
        }
    }
}
