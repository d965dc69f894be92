using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using k8s.Models;

namespace Cluster.Operator.Reconciling.Preloading;

/// <summary>Which deployments to look at again when a pod that fills caches changes, or a node comes. Informer handlers of
/// <see cref="OperatorHost"/>.</summary>
internal sealed class PreloadTriggers(WorkQueue<NamespacedName> queue, ObjectStore<ModelDeployment> deployments)
{
    public void OnPod(ObjectChange<V1Pod> change)
    {
        if (Preloader.DeploymentOf(change.Object) is { } deployment)
        {
            queue.Add(deployment);
        }
    }

    public void OnNode(ObjectChange<V1Node> change)
    {
        if (change.Type == ChangeType.Deleted
            || (change.Before is { } before && Triggers.Matters(before) == Triggers.Matters(change.Object)))
        {
            return;
        }

        foreach (var deployment in deployments.List().Where(d => d.Spec?.Model?.Preload == true))
        {
            queue.Add(NamespacedName.Of(deployment));
        }
    }
}
