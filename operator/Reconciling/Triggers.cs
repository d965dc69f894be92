using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Which deployments to look at again when something other than a deployment changes: those it belongs to, and never
/// all. Who waits for GPUs is woken by the <see cref="Fleet"/>. Informer handlers of <see cref="OperatorHost"/>.</summary>
internal sealed class Triggers(WorkQueue<NamespacedName> queue, Fleet fleet)
{
    public void OnPod(ObjectChange<V1Pod> change)
    {
        AddOwner(change);
        if (change.Object.Metadata is { Labels: { } labels } metadata
            && labels.TryGetValue(ApiNames.DeploymentLabel, out var adopter)
            && metadata.OwnerReferences?.Any(o => o.Controller == true) != true)
        {
            queue.Add(new NamespacedName(metadata.NamespaceProperty ?? "", adopter));
        }
    }

    public void OnService(ObjectChange<V1Service> change) => AddOwner(change);

    public void OnBudget(ObjectChange<V1PodDisruptionBudget> change) => AddOwner(change);

    public void OnAccount(ObjectChange<V1ServiceAccount> change) => AddOwner(change);

    public void OnNode(ObjectChange<V1Node> change)
    {
        if (change.Type == ChangeType.Updated && Matters(change.Before!) == Matters(change.Object))
        {
            return;
        }

        foreach (var pod in fleet.On(change.Object.Metadata.Name))
        {
            AddOwner(pod.Pod.Metadata);
        }

        fleet.OfferAll();
    }

    /// <summary>What the planner and the status look at. Heartbeats, images, notes of network plugins and the like change every few seconds
    /// and are not in it.</summary>
    public static string Matters(V1Node node) => CanonicalJson.Of(KubernetesJson.ToJsonObject(new
    {
        node.Metadata.Labels,
        Annotations = node.Metadata.Annotations?.Where(a => a.Key.StartsWith(ApiNames.Group + "/", StringComparison.Ordinal))
            .ToDictionary(),
        Deleted = node.Metadata.DeletionTimestamp is not null,
        node.Spec.Unschedulable,
        node.Spec.Taints,
        node.Status?.Allocatable,
        Ready = node.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready")?.Status,
    }));

    /// <summary>The owner before the change counts as well: a reference may have been taken away.</summary>
    private void AddOwner<T>(ObjectChange<T> change)
        where T : k8s.IKubernetesObject<V1ObjectMeta>
    {
        AddOwner(change.Object.Metadata);
        if (change.Before is { } before)
        {
            AddOwner(before.Metadata);
        }
    }

    private void AddOwner(V1ObjectMeta metadata)
    {
        if (metadata.OwnerReferences?.FirstOrDefault(o => o is { Controller: true, Kind: ApiNames.Kind }) is { } owner)
        {
            queue.Add(new NamespacedName(metadata.NamespaceProperty ?? "", owner.Name));
        }
    }
}
