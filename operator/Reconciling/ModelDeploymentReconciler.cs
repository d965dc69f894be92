using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Sizing;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Makes pods and services what a ModelDeployment asks for: read, decide, act, report. Called by
/// <see cref="ControllerLoop"/>; decides through <see cref="PodActions"/> and <see cref="Planner"/>, reports through
/// <see cref="StatusBuilder"/> and <see cref="StatusWriter"/>.</summary>
internal sealed class ModelDeploymentReconciler(
    IKubernetesClient client,
    ObjectStore<ModelDeployment> deployments,
    ObjectStore<V1Node> nodes,
    UnreadyNodes unready,
    SizeDecider sizes,
    PodActions actions,
    PodClaims claims,
    WorkerServices services,
    WorkerBudget budget,
    WorkerAccount account,
    WorkerLoads loads,
    StatusWriter statuses,
    WorkerOptions options,
    TimeProvider time) : IReconciler
{
    /// <summary>Freed GPUs wake the deployments that wait for them; this is for what no event tells.</summary>
    private static readonly TimeSpan ShortageRecheck = TimeSpan.FromMinutes(1);

    private readonly ReplacementBackoff _replacements = new(time);
    private readonly TemplateCache _templates = new(options);
    private readonly Finalizer _finalizer = new(client);

    // Deployments deleted with --cascade=orphan, by the uid that was.
    private readonly ConcurrentDictionary<NamespacedName, string> _orphaned = new();

    /// <summary>The deployment informer's handler. That dependents are to be left can be seen only until the garbage collector has taken
    /// their owner references away, which a cache of pods may show later than that it is done.</summary>
    public void Observe(ObjectChange<ModelDeployment> change)
    {
        if (change.Object.Metadata is { DeletionTimestamp: not null, Finalizers: { } finalizers, Uid: { } uid }
            && finalizers.Contains(Finalizer.Orphan))
        {
            _orphaned[NamespacedName.Of(change.Object)] = uid;
        }
    }

    public async Task<ReconcileResult> ReconcileAsync(NamespacedName key, CancellationToken cancellationToken)
    {
        if (deployments.Get(key) is not { } cached)
        {
            statuses.Forget(key);
            _templates.Forget(key);
            services.Forget(key);
            budget.Forget(key);
            account.Forget(key);
            _orphaned.TryRemove(key, out _);
            return ReconcileResult.Done;
        }

        var held = Finalizer.IsOn(cached);
        var deleting = cached.Metadata.DeletionTimestamp is not null;
        if (deleting && !held)
        {
            return ReconcileResult.Done; // Let go already; somebody else's finalizer still holds it.
        }

        await actions.ResolveAsync(cancellationToken);
        return (deleting, held) switch
        {
            (true, _) => await TearDownAsync(cached, cancellationToken),
            (_, false) => await _finalizer.AddAsync(cached, cancellationToken), // The change brings it back here.
            _ when await claims.ClaimAsync(cached, cancellationToken) => ReconcileResult.Done, // As above.
            _ => await ConvergeAsync(cached, statuses.Latest(cached), cancellationToken),
        };
    }

    private async Task<ReconcileResult> ConvergeAsync(
        ModelDeployment cached, ModelDeployment deployment, CancellationToken cancellationToken)
    {
        var uid = deployment.Metadata.Uid!;
        WorkerTemplate template;
        SizeDecision? size;
        try
        {
            size = await sizes.DecideAsync(deployment, cancellationToken);
            if (size?.Shortage is not null && deployment.Spec.Replicas > 0)
            {
                return await WaitForSizeAsync(cached, deployment, size, cancellationToken);
            }

            if (size is not null)
            {
                // Should we end here, the next one must find what the pods are made from. With no replicas any number will do.
                await statuses.WriteDecisionAsync(cached, size, cancellationToken);
                deployment = statuses.Latest(cached).Sized(size.Sizing.TensorParallelSize ?? TensorParallelSize.Largest);
            }

            template = _templates.For(deployment);
            await services.ApplyAsync(deployment, cancellationToken);
            await budget.ApplyAsync(deployment, cancellationToken);
            await account.ApplyAsync(deployment, cancellationToken);
        }
        catch (InvalidModelDeploymentException e)
        {
            (_, var rest) = await ReportAsync(cached, deployment, o => o with { Invalid = e.Message }, cancellationToken);
            return rest > TimeSpan.Zero ? ReconcileResult.After(rest) : ReconcileResult.Done;
        }

        var failedStay = _replacements.Remaining(uid);
        var request = PlanRequest.For(deployment, template, unready.For) with
        {
            LeastVramBytes = size?.Sizing.VramBytesPerGpu,
            ReplaceFailed = failedStay == TimeSpan.Zero,
            Loads = await loads.ReadAsync(actions.Owned(deployment), deployment.Spec.Replicas, cancellationToken),
        };
        var prepared = actions.Prepare(deployment, template, request);
        if (prepared.Plan.Actions.Any(a => a is DeletePod { Reason: DeleteReason.Failed }))
        {
            _replacements.Replaced(uid);
        }

        var failure = await actions.ActAsync(deployment, prepared, cancellationToken);
        (var status, var unwritten) = await ReportAsync(
            cached,
            deployment,
            o => o with
            {
                TemplateHash = template.Hash,
                Sizing = size?.Sizing,
                Shortage = prepared.Plan.Shortage,
                Refused = failure?.Message
            },
            cancellationToken);
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        if (status.ReadyReplicas >= deployment.Spec.Replicas)
        {
            _replacements.Reset(uid);
        }

        return Next(deployment, prepared.Plan, request.NodeLoss, failedStay, unwritten);
    }

    /// <summary>Nothing can be done before a number is known; what serves goes on serving.</summary>
    private async Task<ReconcileResult> WaitForSizeAsync(
        ModelDeployment cached, ModelDeployment deployment, SizeDecision size, CancellationToken cancellationToken)
    {
        actions.WaitForNodes(deployment);
        (_, var unwritten) = await ReportAsync(
            cached, deployment, o => o with { Sizing = size.Sizing, Shortage = size.Shortage }, cancellationToken);
        return ReconcileResult.After(unwritten > TimeSpan.Zero ? unwritten : ShortageRecheck);
    }

    private ReconcileResult Next(ModelDeployment deployment, Plan plan, NodeLoss loss, TimeSpan failedStay, TimeSpan unwritten)
    {
        var now = time.GetUtcNow();
        var next = unwritten > TimeSpan.Zero ? unwritten : TimeSpan.MaxValue;
        next = failedStay > TimeSpan.Zero && failedStay < next ? failedStay : next;
        next = actions.HasInFlight(deployment) && PodsInFlight.Doubtful < next ? PodsInFlight.Doubtful : next;
        next = plan.Shortage is not null && ShortageRecheck < next ? ShortageRecheck : next;
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

    /// <summary>Deletes the pods and, once the last is gone and its GPUs with it, lets the deployment go.</summary>
    private async Task<ReconcileResult> TearDownAsync(ModelDeployment cached, CancellationToken cancellationToken)
    {
        var uid = cached.Metadata.Uid!;
        if (_orphaned.TryGetValue(NamespacedName.Of(cached), out var orphaned) && orphaned == uid)
        {
            return await _finalizer.RemoveAsync(cached, cancellationToken);
        }

        var prepared = actions.Prepare(cached, template: null, PlanRequest.For(cached, null, unready.For));
        var failure = await actions.ActAsync(cached, prepared, cancellationToken);
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        if (actions.Owned(cached).Count > 0)
        {
            (_, var unwritten) = await ReportAsync(cached, statuses.Latest(cached), o => o, cancellationToken);
            return unwritten > TimeSpan.Zero ? ReconcileResult.After(unwritten)
                : actions.HasInFlight(cached) ? ReconcileResult.After(PodsInFlight.Doubtful)
                : ReconcileResult.Done;
        }

        _replacements.Reset(uid);
        return await _finalizer.RemoveAsync(cached, cancellationToken);
    }

    /// <returns>The status, and how long what of it is not written yet has to wait.</returns>
    private async Task<(ModelDeploymentStatus Status, TimeSpan Unwritten)> ReportAsync(
        ModelDeployment cached, ModelDeployment deployment, Func<Observation, Observation> complete, CancellationToken cancellationToken)
    {
        var owned = actions.Owned(deployment);
        var observation = complete(new Observation
        {
            Deployment = deployment,
            Pods = owned,
            LastLogs = await LastWords.ReadAsync(client, owned, cancellationToken),
            FindNode = name => nodes.Get(new NamespacedName("", name)),
            Now = time.GetUtcNow(),
        });
        var status = StatusBuilder.Build(observation);
        return (status, await statuses.WriteAsync(cached, status, cancellationToken));
    }
}
