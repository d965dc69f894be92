using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>When a deployment has to be looked at again though nothing tells of a change. Asked by
/// <see cref="ModelDeploymentReconciler"/> at the end of each look.</summary>
internal sealed class NextLook(
    PodActions actions, WrongWorkers wrongWorkers, UnscheduledPods unscheduled, CreationTrouble creation, ObjectStore<V1Node> nodes,
    TimeProvider time)
{
    /// <summary>Freed GPUs wake the deployments that wait for them; this is for what no event tells.</summary>
    public static readonly TimeSpan ShortageRecheck = TimeSpan.FromMinutes(1);

    /// <param name="stays">How long something has to wait; zero for what has not.</param>
    public ReconcileResult Find(ModelDeployment deployment, Plan plan, NodeLoss loss, ReadOnlySpan<TimeSpan> stays)
    {
        var now = time.GetUtcNow();
        var next = TimeSpan.MaxValue;
        foreach (var stay in stays)
        {
            next = stay > TimeSpan.Zero && stay < next ? stay : next;
        }

        next = actions.HasInFlight(deployment) && PodsInFlight.Doubtful < next ? PodsInFlight.Doubtful : next;
        next = plan.Shortage is not null && ShortageRecheck < next ? ShortageRecheck : next;
        next = unscheduled.Remaining(actions.Owned(deployment)) is { } waiting && waiting < next ? waiting : next;
        next = wrongWorkers.Remaining(actions.Owned(deployment)) is { } asking && asking < next ? asking : next;
        next = creation.Remaining(actions.Owned(deployment)) is { } creating && creating < next ? creating : next;
        foreach (var pod in actions.Owned(deployment).Where(p => p is { Node: not null, Terminating: false, Finished: false }))
        {
            var node = nodes.Get(new NamespacedName("", pod.Node!));
            next = node is not null && loss.Remaining(node) is { } left && left > TimeSpan.Zero && left < next ? left : next;
            var untuned = deployment.Spec.Tuning.NumaBalancing == NumaBalancing.Disabled
                ? NodeTuning.Remaining(pod, node, now)
                : TimeSpan.Zero;
            next = untuned > TimeSpan.Zero && untuned < next ? untuned : next;
        }

        return next == TimeSpan.MaxValue ? ReconcileResult.Done : ReconcileResult.After(next);
    }
}
