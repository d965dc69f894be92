using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Turns decisions into pods. The <see cref="Fleet"/> decides under its lock and reserves the chosen GPUs, so no two
/// decisions can choose the same one; the requests go out after the lock is left, and what comes of them is told to the fleet.</summary>
internal sealed class PodActions(IKubernetesClient client, Fleet fleet, EventRecorder events, Random random)
{
    /// <summary>Requests of one deployment on their way at once.</summary>
    private const int MostAtOnce = 16;

    /// <summary>The pods of this deployment, our latest writes included.</summary>
    public IReadOnlyList<Replica> Owned(ModelDeployment deployment) => fleet.OwnedBy(deployment.Metadata.Uid!);

    /// <summary>Whether anything about this deployment's pods is still in flight.</summary>
    public bool HasInFlight(ModelDeployment deployment) => fleet.HasInFlight(deployment.Metadata.Uid!);

    /// <summary>Plans and reserves.</summary>
    /// <param name="template">Null to take everything down.</param>
    public PreparedPlan Prepare(ModelDeployment deployment, WorkerTemplate? template, PlanRequest request) =>
        fleet.Prepare(deployment, template, request, random);

    /// <summary>Has the deployment looked at again when nodes change or GPUs come free, as if it had found too few.</summary>
    public void WaitForNodes(ModelDeployment deployment) => fleet.WaitForNodes(NamespacedName.Of(deployment));

    /// <summary>Asks the server itself about every pod whose request ended long ago and of which the cache has shown nothing
    /// since.</summary>
    public async Task ResolveAsync(CancellationToken cancellationToken)
    {
        foreach (var (pod, isDeletion) in fleet.InDoubt())
        {
            var live = await FindAsync(pod, cancellationToken);
            if (isDeletion && live?.Metadata is { DeletionTimestamp: null } metadata && metadata.Uid == pod.Metadata.Uid)
            {
                fleet.NotDeleted(pod);
            }
            else if (!isDeletion && (live is null || PodsInFlight.OwnerOf(live) != PodsInFlight.OwnerOf(pod)))
            {
                fleet.NotCreated(pod);
            }
        }
    }

    /// <summary>Sends the plan. Goes on after a failure, so that one refused pod does not hold up a deletion.</summary>
    /// <returns>The first failure, or null.</returns>
    public async Task<PodFailure?> ActAsync(ModelDeployment deployment, PreparedPlan prepared, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(deployment, prepared, cancellationToken);
        }
        finally
        {
            foreach (var pod in prepared.NewPods.Select(p => p.Pod)
                .Concat(prepared.Plan.Actions.OfType<DeletePod>().Select(d => d.Pod.Pod)))
            {
                fleet.Ended(pod);
            }
        }
    }

    private async Task<PodFailure?> SendAsync(ModelDeployment deployment, PreparedPlan prepared, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        var stillThere = 0;
        List<DeletePod> deleted = [];
        foreach (var batch in prepared.Plan.Actions.OfType<DeletePod>().Chunk(MostAtOnce))
        {
            var failures = await Task.WhenAll(batch.Select(delete => DeleteAsync(delete, deleted, cancellationToken)));
            failure ??= failures.FirstOrDefault(f => f is not null);
            stillThere += failures.Count(f => f is not null);
        }

        // Each pod that could not be deleted may be one that a new pod was to replace: together they would be one too many.
        List<NewPod> wanted = [.. prepared.NewPods.SkipLast(stillThere)];
        foreach (var pod in prepared.NewPods.Skip(wanted.Count))
        {
            fleet.NotCreated(pod.Pod);
        }

        List<NewPod> created = [];
        var refusal = await CreateAllAsync(wanted, created, cancellationToken);
        await TellAsync(deployment, deleted, created, cancellationToken);
        foreach (var (reason, what, why) in new[] { ("FailedDelete", "deleted", failure), ("FailedCreate", "created", refusal) })
        {
            // In a namespace that is being deleted events are refused as well.
            if (why is not (null or KubernetesException { IsNamespaceTerminating: true }))
            {
                await events.RecordAsync(
                    deployment, EventType.Warning, reason, $"a pod could not be {what}: {Explain(why, prepared)}", cancellationToken);
            }
        }

        return (failure ?? refusal) is { } first ? new PodFailure(first, Explain(first, prepared), failure is not null) : null;
    }

    /// <summary>One pod, then two, four, … at once, as the ReplicaSet controller does: what is refused once (a quota, an admission
    /// rule) would be refused again, and is then asked once and not for each pod.</summary>
    /// <returns>The first failure, or null.</returns>
    private async Task<Exception?> CreateAllAsync(IReadOnlyList<NewPod> wanted, List<NewPod> created, CancellationToken cancellationToken)
    {
        var sent = 0;
        for (var size = 1; sent < wanted.Count; size = Math.Min(2 * size, MostAtOnce))
        {
            NewPod[] batch = [.. wanted.Skip(sent).Take(size)];
            sent += batch.Length;
            var failures = await Task.WhenAll(batch.Select(pod => CreateAsync(pod, created, cancellationToken)));
            if (failures.FirstOrDefault(f => f is not null) is { } failure)
            {
                foreach (var pod in wanted.Skip(sent))
                {
                    fleet.NotCreated(pod.Pod);
                }

                return failure;
            }
        }

        return null;
    }

    private async Task<Exception?> CreateAsync(NewPod pod, List<NewPod> created, CancellationToken cancellationToken)
    {
        try
        {
            fleet.Created(await client.CreateAsync<V1Pod>(pod.Manifest, cancellationToken));
            lock (created)
            {
                created.Add(pod);
            }

            return null;
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            return null; // An earlier try got through although its answer did not; the cache will show it.
        }
        catch (Exception e) when (IsApiFailure(e))
        {
            if (IsDefinite(e))
            {
                fleet.NotCreated(pod.Pod);
            }

            return e;
        }
    }

    private async Task<Exception?> DeleteAsync(DeletePod delete, List<DeletePod> deleted, CancellationToken cancellationToken)
    {
        var pod = delete.Pod;
        try
        {
            await client.DeleteAsync<V1Pod>(
                pod.Pod.Metadata.NamespaceProperty, pod.Name, pod.Uid, delete.Force ? 0 : null, cancellationToken);
            lock (deleted)
            {
                deleted.Add(delete);
            }

            return null;
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict)
        {
            return null; // Gone, or another pod of that name by now: either way not ours to delete any more.
        }
        catch (Exception e) when (IsApiFailure(e))
        {
            if (IsDefinite(e))
            {
                fleet.NotDeleted(pod.Pod);
            }

            return e;
        }
    }

    /// <summary>One event for all pods created, and one for all deleted for the same reason: a request a pod would double what the API
    /// server has to do.</summary>
    private async Task TellAsync(
        ModelDeployment deployment, List<DeletePod> deleted, List<NewPod> created, CancellationToken cancellationToken)
    {
        foreach (var group in deleted.GroupBy(d => d.Reason))
        {
            var type = group.Key is DeleteReason.ScaledDown or DeleteReason.Outdated ? EventType.Normal : EventType.Warning;
            await events.RecordAsync(
                deployment, type, "DeletedPod", $"deleted {Sentence(group.Select(d => $"{d.Pod.Name}: {d.Why}"))}", cancellationToken);
        }

        if (created.Count > 0)
        {
            await events.RecordAsync(
                deployment, EventType.Normal, "CreatedPod", $"created {Sentence(created.Select(p => Where(Replica.Of(p.Pod))))}",
                cancellationToken);
        }
    }

    /// <summary>The pods that are to be deleted have names that last; those that were not created have another one next time.</summary>
    private static string Explain(Exception cause, PreparedPlan prepared) =>
        StableText.Of(cause.Message, prepared.NewPods.Select(p => p.Pod.Metadata.Name))
        + (prepared.NewPods is [var pod, ..] ? ImageVolumes.Explain(cause.Message, pod.Manifest["spec"]!.AsObject()) : "");

    private static string Sentence(IEnumerable<string> pods)
    {
        List<string> all = [.. pods.Order(StringComparer.Ordinal)];
        return all.Count == 1 ? $"pod {all[0]}" : $"{all.Count} pods: {string.Join("; ", all)}";
    }

    private static string Where(Replica pod) => pod.Gpus.Count == 0
        ? pod.Name
        : $"{pod.Name} on {(pod.Gpus.Count == 1 ? "GPU" : "GPUs")} {string.Join(',', pod.Gpus)} of node {pod.Node}";

    private static bool IsApiFailure(Exception e) => e is KubernetesException or HttpRequestException or IOException;

    /// <summary>The server said no, as opposed to not having been heard.</summary>
    private static bool IsDefinite(Exception e) =>
        Refusal.IsOne(e) || e is KubernetesException { StatusCode: >= 400 and < 500 and not 408 };

    private async Task<V1Pod?> FindAsync(V1Pod pod, CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync<V1Pod>(pod.Metadata.NamespaceProperty, pod.Metadata.Name, cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }
}
