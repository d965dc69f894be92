using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Decides what must change for one ModelDeployment. No I/O, no clock, no randomness: same input, same plan.</summary>
/// <remarks>
/// <code>
/// 1. pods that can never serve go: node or GPU gone, node lost, finished, in conflict over a GPU, computing wrong results, not started on
///    a node that takes no more or that the scheduler does not give it
/// 2. more up-to-date pods than wanted: the unready go, then the cheapest, the least loaded and the newest
/// 3. rolling update: outdated pods go, unready ones first, as far as maxUnavailable allows
/// 4. still more pods than wanted + maxSurge (scaled down during a rollout): unready up-to-date pods go
/// 5. missing pods are created, as far as maxSurge and the free GPUs allow
/// </code>
/// GPUs of a pod that is deleted here are free only once it is gone, so a replacement without spare GPUs is created by a
/// later plan. Called by <see cref="ModelDeploymentReconciler"/> for one deployment at a time.
/// </remarks>
internal static class Planner
{
    /// <param name="owned">Every pod this deployment owns, in any state.</param>
    /// <param name="ledger">What all pods of the cluster hold. Placements decided here are booked in it.</param>
    public static Plan Decide(PlanRequest request, IReadOnlyList<Replica> owned, GpuLedger ledger)
    {
        List<PlanAction> actions = [];
        var active = RemoveDead(request, owned, ledger, actions, out var waitingToBeReplaced);
        var order = DeletionOrder(request);
        List<Replica> updated = [.. active.Where(p => p.TemplateHash == request.TemplateHash).OrderBy(p => p, order)];
        List<Replica> outdated = [.. active.Where(p => p.TemplateHash != request.TemplateHash).OrderBy(p => p, order)];

        Delete(updated, updated.Count - request.Replicas, DeleteReason.ScaledDown);
        var stuck = RollOver(request, updated, outdated, owned, ledger, actions);

        var surplus = updated.Count + outdated.Count - request.MaxReplicas;
        Delete(updated, Math.Min(surplus, updated.Count(p => !p.Ready)), DeleteReason.ScaledDown);

        List<Replica> staying = [.. updated, .. outdated];
        var missing = Math.Min(
            request.MostCreations,
            Math.Min(request.Replicas - updated.Count, request.MaxReplicas - staying.Count) - waitingToBeReplaced);
        var shortage = Create(request, missing, staying, owned, ledger, actions);
        if (!request.MayDelete)
        {
            actions.RemoveAll(action => action is DeletePod);
        }

        return new Plan(actions, shortage ?? stuck);

        void Delete(List<Replica> pods, int count, DeleteReason reason)
        {
            foreach (var pod in pods.Take(count).Where(MayBeDeleted).ToList())
            {
                actions.Add(new DeletePod(pod, reason));
                pods.Remove(pod);
            }
        }
    }

    /// <summary>Unready before ready; then, as ReplicaSets do, what somebody marked as cheap; then the least loaded, where a pod
    /// that tells no load counts as busy; then the newest: what has served longest stays.</summary>
    private static Comparer<Replica> DeletionOrder(PlanRequest request)
    {
        return Comparer<Replica>.Create((a, b) =>
            a.Ready != b.Ready ? a.Ready.CompareTo(b.Ready)
            : a.DeletionCost != b.DeletionCost ? a.DeletionCost.CompareTo(b.DeletionCost)
            : Load(a) != Load(b) ? Load(a).CompareTo(Load(b))
            : a.Created != b.Created ? b.Created.CompareTo(a.Created)
            : string.CompareOrdinal(b.Name, a.Name));

        double Load(Replica pod) => request.Loads.TryGetValue(pod.Name, out var load) ? load : double.MaxValue;
    }

    /// <summary>Not before its uid is known: a deletion that cannot be told by uid from the next pod of that name would be
    /// forgotten, and the pod taken for a serving one, when the cache shows it at last.</summary>
    private static bool MayBeDeleted(Replica pod) => pod.Uid is not null;

    /// <returns>The pods that serve or may come to serve.</returns>
    private static List<Replica> RemoveDead(
        PlanRequest request, IReadOnlyList<Replica> owned, GpuLedger ledger, List<PlanAction> actions, out int waitingToBeReplaced)
    {
        List<Replica> active = [];
        waitingToBeReplaced = 0;
        foreach (var pod in owned.OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            var node = pod.Node is null ? null : ledger.Find(pod.Node);
            if (pod.Node is not null && node is null)
            {
                // Also when it is terminating already: nobody is left on that node to confirm its end.
                actions.Add(new DeletePod(pod, DeleteReason.NodeGone, Force: true));
            }
            else if (pod.Terminating)
            {
                continue;
            }
            else if (ledger.DoubleBooked.Any(d => ReferenceEquals(d.Pod, pod.Pod)))
            {
                actions.Add(new DeletePod(pod, DeleteReason.GpuConflict));
            }
            else if (!pod.Finished && request.WrongResults.ContainsKey(pod.Name))
            {
                actions.Add(new DeletePod(pod, DeleteReason.WrongResults));
            }
            else if (IsTurnedAway(request, pod, node))
            {
                actions.Add(new DeletePod(pod, DeleteReason.NodeRefused));
            }
            else if (request.ReplaceFailed && request.IsUnscheduled(pod))
            {
                actions.Add(new DeletePod(pod, DeleteReason.Unscheduled));
            }
            else if (pod is { Ready: false, Finished: false, Uid: not null } && node?.Lacks(pod) == true)
            {
                actions.Add(new DeletePod(pod, DeleteReason.GpuGone));
            }
            else if (!pod.Finished && node is not null && request.NodeLoss.IsLost(node.Node))
            {
                // Not forced: its processes may well be running, and hold the GPUs, until the node says otherwise.
                actions.Add(new DeletePod(pod, DeleteReason.NodeLost));
            }
            else if (!pod.Finished)
            {
                active.Add(pod);
            }
            else if (request.ReplaceFailed || request.Replicas == 0)
            {
                actions.Add(new DeletePod(pod, DeleteReason.Failed));
            }
            else
            {
                waitingToBeReplaced++;
            }
        }

        return active;
    }

    /// <summary>Cordoned, tainted or gone unready after we had chosen the node and before the scheduler bound the pod: it would wait there
    /// for ever.</summary>
    private static bool IsTurnedAway(PlanRequest request, Replica pod, GpuNode? node) =>
        pod is { IsBound: false, Finished: false, Uid: not null }
            && node is not null
            && request.Requirements.Refusal(node.Node) is not null;

    /// <returns>Why the new template can never be placed, in which case its ready predecessors go on serving; null when it can.</returns>
    private static Shortage? RollOver(
        PlanRequest request, List<Replica> updated, List<Replica> outdated, IReadOnlyList<Replica> owned, GpuLedger ledger,
        List<PlanAction> actions)
    {
        if (outdated.Count == 0 || (!request.MayCreate && request.Replicas > 0))
        {
            return null;
        }

        var stuck = request.Replicas == 0 ? null : ShortageEvenAlone(request, owned, ledger);

        // New pods that are not ready yet count as a promise already spent: else a broken new version would eat the old one pod
        // by pod. Unready outdated pods come first, so what is left when ready ones are reached is just what may be unavailable.
        var budget = updated.Count + outdated.Count - request.MinAvailable - updated.Count(p => !p.Ready);
        foreach (var pod in outdated.ToList())
        {
            var isSurplus = updated.Count + outdated.Count > request.Replicas;
            if (budget <= 0 || (pod.Ready && stuck is not null && !isSurplus))
            {
                break;
            }

            budget--;
            if (MayBeDeleted(pod))
            {
                actions.Add(new DeletePod(pod, request.Replicas == 0 ? DeleteReason.ScaledDown : DeleteReason.Outdated));
                outdated.Remove(pod);
            }
        }

        return stuck;
    }

    /// <summary>Why not even one pod of the new template would fit if this deployment's own pods were out of the way.</summary>
    private static Shortage? ShortageEvenAlone(PlanRequest request, IReadOnlyList<Replica> owned, GpuLedger ledger)
    {
        if (!request.IsPinned)
        {
            return null;
        }

        return ledger.Without(owned, rest =>
        {
            GpuPacking packing = new(request, rest);
            return packing.Find() is null ? packing.Explain() : null;
        });
    }

    /// <param name="staying">The deployment's pods that neither ended nor are told to.</param>
    private static Shortage? Create(
        PlanRequest request, int missing, List<Replica> staying, IReadOnlyList<Replica> owned, GpuLedger ledger, List<PlanAction> actions)
    {
        if (missing <= 0 || !request.MayCreate)
        {
            return null;
        }

        var packing = request.IsPinned ? new GpuPacking(request, ledger, staying) : null;
        for (var created = 0; created < missing; created++)
        {
            var placement = packing?.Take();
            if (packing is not null && placement is null)
            {
                return OutOfGpus(request, packing, staying.Count + created, staying, owned, ledger);
            }

            actions.Add(new CreatePod(placement));
        }

        return null;
    }

    /// <returns>Null when the GPUs are on their way or not needed, so that nobody has to do anything.</returns>
    private static Shortage? OutOfGpus(
        PlanRequest request, GpuPacking packing, int existing, List<Replica> staying, IReadOnlyList<Replica> owned, GpuLedger ledger)
    {
        HashSet<V1Pod> kept = [.. staying.Select(p => p.Pod)];
        List<Replica> ending = [.. owned.Where(p => !kept.Contains(p.Pod) && p.HoldsGpus)];
        if (ending.Count > 0 && ledger.Without(ending, rest => new GpuPacking(request, rest).Find() is not null))
        {
            return null; // What our own ending pods hold will do; their end brings us back here.
        }

        var onlySurge = existing >= request.Replicas;
        var shortage = packing.Explain();
        return !onlySurge ? shortage
            : request.MinAvailable < request.Replicas ? null // Pods are replaced in place instead.
            : shortage with
            {
                Message =
                    $"{shortage.Message}; the rollout surges and needs spare GPUs (rollout.maxUnavailable: 1 would replace pods in place)"
            };
    }
}
