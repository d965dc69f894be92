using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Autoscaling;
using Cluster.Operator.Reconciling.Preloading;
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
    DeploymentObjects objects,
    WorkerLoads loads,
    WrongWorkers wrongWorkers,
    GpuMarks marks,
    StatusWriter statuses,
    AutoscalerLoop autoscaler,
    ForeignAutoscalers foreignAutoscalers,
    Preloader preloader,
    WorkerOptions options,
    TimeProvider time) : IReconciler
{
    /// <summary>Objects that block a deployment and are not in our caches, which hold only what has our labels.</summary>
    private static readonly TimeSpan ForeignRecheck = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LeastRecheck = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan PredecessorRecheck = TimeSpan.FromSeconds(2);

    private readonly ReplacementBackoff _replacements = new(time);
    private readonly RefusalBackoff _refusals = new(time);
    private readonly CreationTrouble _creation = new(client, time);
    private readonly UnscheduledPods _unscheduled = new(time);
    private readonly EndingNamespaces _ending = new(time);
    private readonly TemplateCache _templates = new(options);
    private readonly Finalizer _finalizer = new(client);

    private NextLook Later => new(actions, wrongWorkers, _unscheduled, _creation, nodes, time);

    // Deployments deleted with --cascade=orphan, by the uid that was.
    private readonly ConcurrentDictionary<NamespacedName, string> _orphaned = new();

    /// <summary>The deployment informer's handler. That dependents are to be left can be seen only until the garbage collector has taken
    /// their owner references away, which a cache of pods may show later than that it is done.</summary>
    public void Observe(ObjectChange<ModelDeployment> change)
    {
        if (Finalizer.LeavesDependents(change.Object) && change.Object.Metadata.Uid is { } uid)
        {
            _orphaned[NamespacedName.Of(change.Object)] = uid;
        }

        if (change is { Type: ChangeType.Deleted, Object.Metadata.Uid: { } gone })
        {
            _replacements.Reset(gone);
            _refusals.Reset(gone);
        }
    }

    public async Task<ReconcileResult> ReconcileAsync(NamespacedName key, CancellationToken cancellationToken)
    {
        if (deployments.Get(key) is not { } cached)
        {
            statuses.Forget(key);
            _templates.Forget(key);
            objects.Forget(key);
            _orphaned.TryRemove(key, out _);
            _ending.Forget(key);
            return ReconcileResult.Done;
        }

        var held = Finalizer.IsOn(cached);
        var deleting = cached.Metadata.DeletionTimestamp is not null;
        if (deleting && !held)
        {
            return ReconcileResult.Done; // Let go already; somebody else's finalizer still holds it.
        }

        if (!deleting && _ending.Remaining(cached) is { } left)
        {
            return ReconcileResult.After(left);
        }

        await actions.ResolveAsync(cancellationToken);
        try
        {
            return (deleting, held) switch
            {
                (true, _) => await TearDownAsync(cached, cancellationToken),
                (_, false) => await HoldAsync(cached, cancellationToken),
                _ => await OwnAndConvergeAsync(cached, cancellationToken),
            };
        }
        catch (KubernetesException e) when (e.IsNamespaceTerminating)
        {
            return ReconcileResult.After(_ending.Learned(cached));
        }
        catch (StatusRefusedException e)
        {
            var refusal = _refusals.Refused(cached, OfDeployment(e.Cause, deleting));
            return new ReconcileResult(UntilAllowed(cached), refusal.Message);
        }
        catch (KubernetesException e) when (Refusal.Stands(e))
        {
            return await WaitForLeaveAsync(cached, deleting, e, cancellationToken);
        }
    }

    private static Refusal OfDeployment(KubernetesException error, bool deleting) =>
        new(Refusal.OfOther, StableText.Of(error.Message, []), OfDeletion: deleting) { HoldsUpPods = false };

    private async Task<ReconcileResult> HoldAsync(ModelDeployment cached, CancellationToken cancellationToken) =>
        _refusals.Standing(cached) is null
            ? await _finalizer.AddAsync(cached, cancellationToken) // The change brings it back here.
            : ReconcileResult.After(UntilAllowed(cached));

    private async Task<ReconcileResult> OwnAndConvergeAsync(ModelDeployment cached, CancellationToken cancellationToken)
    {
        string? problem = null;
        try
        {
            if (_refusals.Standing(cached) is null && await claims.ClaimAsync(cached, cancellationToken))
            {
                return ReconcileResult.Done; // The change brings it back here.
            }
        }
        catch (KubernetesException e) when (Refusal.Stands(e))
        {
            problem = _refusals.Refused(cached, new Refusal(Refusal.OfOther, StableText.Of(e.Message, []))).Message;
        }

        var result = await ConvergeAsync(cached, statuses.Latest(cached), cancellationToken);
        return result with { Problem = result.Problem ?? problem };
    }

    /// <summary>What was refused is the deployment itself, its finalizer or its status: a policy or a webhook for ModelDeployments is in
    /// the way, or our role is too small.</summary>
    private async Task<ReconcileResult> WaitForLeaveAsync(
        ModelDeployment cached, bool deleting, KubernetesException error, CancellationToken cancellationToken)
    {
        var refusal = _refusals.Refused(cached, OfDeployment(error, deleting));
        try
        {
            await ReportAsync(cached, statuses.Latest(cached), o => o with { Refused = refusal }, cancellationToken);
        }
        catch (StatusRefusedException)
        {
            // Neither may the status be written. An event tells it.
        }

        return new ReconcileResult(UntilAllowed(cached), refusal.Message);
    }

    private async Task<ReconcileResult> ConvergeAsync(
        ModelDeployment cached, ModelDeployment deployment, CancellationToken cancellationToken)
    {
        var uid = deployment.Metadata.Uid!;
        WorkerTemplate template;
        SizeDecision? size;
        try
        {
            if (deployment.Spec.Autoscaling is not null)
            {
                WorkerTemplate.RequireValid(deployment);

                // Should we end here, the next one must not take away what was made for this.
                var state = autoscaler.Of(deployment);
                await statuses.WriteDecisionAsync(
                    cached, state.ToStatus(deployment.Status?.Autoscaling, time.GetUtcNow()), cancellationToken);
                deployment = statuses.Latest(cached).Scaled(state.Desired);
            }

            size = await sizes.DecideAsync(deployment, cancellationToken);
            if (size?.Shortage is not null && deployment.Spec.Replicas > 0)
            {
                return await WaitForSizeAsync(cached, deployment, size, cancellationToken);
            }

            if (size is not null)
            {
                // Should we end here, the next one must find what the pods are made from. With no replicas any number will do.
                await statuses.WriteDecisionAsync(cached, size, cancellationToken);
                deployment = Scaled(statuses.Latest(cached)).Sized(size.Sizing.TensorParallelSize ?? TensorParallelSize.Largest);
            }

            template = _templates.For(deployment);
        }
        catch (InvalidModelDeploymentException e)
        {
            return await ReportInvalidAsync(cached, deployment, e, recheck: null, cancellationToken);
        }

        var refused = _refusals.Standing(deployment);
        string? problem = null;
        Exception? unfinished = null;
        CacheFilling? caches = null;
        if (refused is null)
        {
            try
            {
                var owned = actions.Owned(deployment);
                var isRollingOut = owned.Any(p => !p.Terminating && !p.Finished && p.TemplateHash != template.Hash);
                caches = await preloader.ApplyAsync(deployment, template, isRollingOut, cancellationToken);
                var isSettled = owned.Count == deployment.Spec.Replicas && owned.All(p => p.Ready && p.TemplateHash == template.Hash);
                if (await objects.ApplyAsync(deployment, isSettled, cancellationToken) is { } failed)
                {
                    refused = failed.AsRefusal();
                    unfinished = Refusal.Stands(failed.Cause) ? null : failed.Cause;
                }
            }
            catch (InvalidModelDeploymentException e)
            {
                return await ReportInvalidAsync(cached, deployment, e, ForeignRecheck, cancellationToken);
            }
            catch (PredecessorException e)
            {
                await ReportAsync(
                    cached, deployment, o => o with { TemplateHash = template.Hash, Sizing = size?.Sizing, Awaited = e.Message },
                    cancellationToken);
                return ReconcileResult.After(PredecessorRecheck);
            }

            if (refused is not null && unfinished is null)
            {
                refused = _refusals.Refused(deployment, refused);
                problem = refused.Message;
            }
        }

        var failedStay = _replacements.Remaining(uid);
        var wrong = await wrongWorkers.FindAsync(actions.Owned(deployment), cancellationToken);
        var replacesWrong = refused is null && failedStay == TimeSpan.Zero;
        if (replacesWrong && await MarkAsync(deployment, wrong, cancellationToken) is { } unmarked)
        {
            replacesWrong = false;
            refused = _refusals.Refused(deployment, new Refusal(Refusal.OfOther, unmarked));
            problem = refused.Message;
        }

        var request = PlanRequest.For(deployment, template, unready.For) with
        {
            LeastVramBytes = size?.Sizing.VramBytesPerGpu,
            ReplaceFailed = failedStay == TimeSpan.Zero,
            WrongResults = replacesWrong ? wrong : new Dictionary<string, string>(),
            MayCreate = refused is not { HoldsUpPods: true } && caches?.HoldsUp != true,
            Unfilled = caches?.Unfilled ?? new HashSet<string>(),
            MayDelete = refused is not { OfDeletion: true },
            IsUnscheduled = _unscheduled.IsStuck,
            Avoided = _unscheduled.AvoidedBy(uid, actions.Owned(deployment)),
            Loads = await loads.ReadAsync(actions.Owned(deployment), deployment.Spec.Replicas, cancellationToken),
        };
        var prepared = actions.Prepare(deployment, template, request);
        if (prepared.Plan.Actions.Any(
            a => a is DeletePod { Reason: DeleteReason.Failed or DeleteReason.Unscheduled or DeleteReason.WrongResults }))
        {
            _replacements.Replaced(uid);
        }

        foreach (var (pod, _, _) in prepared.Plan.Actions.OfType<DeletePod>()
            .Where(d => d.Reason == DeleteReason.Unscheduled || UnscheduledPods.IsTurnedBack(d.Pod)))
        {
            _unscheduled.GivenUp(pod);
        }

        if (await actions.ActAsync(deployment, prepared, cancellationToken) is { } failure)
        {
            refused = failure.AsRefusal();
            if (Refusal.Stands(failure.Cause))
            {
                refused = _refusals.Refused(deployment, refused);
                problem = refused.Message;
            }
            else
            {
                unfinished = failure.Cause;
            }
        }

        (var status, var unwritten) = await ReportAsync(
            cached,
            deployment,
            o => o with
            {
                TemplateHash = template.Hash,
                Sizing = size?.Sizing,
                Shortage = prepared.Plan.Shortage,
                Refused = refused,
                WrongResults = wrong,
                Preload = caches,
            },
            cancellationToken);
        if (unfinished is not null)
        {
            ExceptionDispatchInfo.Throw(unfinished);
        }

        if (refused is null)
        {
            _refusals.Reset(uid);
        }

        if (status.ReadyReplicas >= deployment.Spec.Replicas)
        {
            _replacements.Reset(uid);
        }

        // It may have passed since we began, and was heeded all the same.
        var refusedStay = refused is null ? TimeSpan.Zero : UntilAllowed(deployment);
        var foreignStay = cached.Spec.Autoscaling is null ? TimeSpan.Zero : ForeignAutoscalers.Recheck;
        var cacheStay = caches is { Refused: not null } ? NextLook.ShortageRecheck : TimeSpan.Zero;
        var later = Later.Find(
            deployment, prepared.Plan, request.NodeLoss, [failedStay, refusedStay, unwritten, foreignStay, cacheStay]);
        return later with { Problem = problem };
    }

    /// <summary>Keeps the GPUs of pods that compute wrong results from being given to others. Comes before those are deleted.</summary>
    /// <returns>Why a mark cannot be set, in which case the pods stay: unready, and with their GPUs. Null when all are set.</returns>
    private async Task<string?> MarkAsync(
        ModelDeployment deployment, IReadOnlyDictionary<string, string> wrong, CancellationToken cancellationToken)
    {
        foreach (var pod in actions.Owned(deployment).Where(p => !p.Terminating && wrong.ContainsKey(p.Name)))
        {
            try
            {
                await marks.MarkAsync(pod, cancellationToken);
            }
            catch (KubernetesException e) when (Refusal.Stands(e))
            {
                return $"the GPUs of pod {pod.Name}, which compute wrong results, cannot be marked: {StableText.Of(e.Message, [])}";
            }
        }

        return null;
    }

    /// <param name="recheck">When to look again, where it may come right without the deployment's author; null where it cannot.</param>
    private async Task<ReconcileResult> ReportInvalidAsync(
        ModelDeployment cached, ModelDeployment deployment, InvalidModelDeploymentException invalid, TimeSpan? recheck,
        CancellationToken cancellationToken)
    {
        (_, var rest) = await ReportAsync(
            cached, cached.Spec.Autoscaling is null ? deployment : statuses.Latest(cached), o => o with { Invalid = invalid.Message },
            cancellationToken);
        return new ReconcileResult(rest > TimeSpan.Zero ? rest : recheck);
    }

    /// <summary>Nothing can be done before a number is known; what serves goes on serving.</summary>
    private async Task<ReconcileResult> WaitForSizeAsync(
        ModelDeployment cached, ModelDeployment deployment, SizeDecision size, CancellationToken cancellationToken)
    {
        actions.WaitForNodes(deployment);
        (_, var unwritten) = await ReportAsync(
            cached, deployment, o => o with { Sizing = size.Sizing, Shortage = size.Shortage }, cancellationToken);
        return ReconcileResult.After(unwritten > TimeSpan.Zero ? unwritten : NextLook.ShortageRecheck);
    }

    /// <summary>How long what was refused is not tried again.</summary>
    private TimeSpan UntilAllowed(ModelDeployment deployment) =>
        _refusals.Remaining(deployment) is var left && left > LeastRecheck ? left : LeastRecheck;

    /// <summary>Deletes the pods and, once the last is gone and its GPUs with it, lets the deployment go.</summary>
    private async Task<ReconcileResult> TearDownAsync(ModelDeployment cached, CancellationToken cancellationToken)
    {
        var uid = cached.Metadata.Uid!;
        if (_refusals.Standing(cached) is { OfDeletion: true })
        {
            return ReconcileResult.After(UntilAllowed(cached));
        }

        if (Finalizer.LeavesDependents(cached)
            || (_orphaned.TryGetValue(NamespacedName.Of(cached), out var orphaned) && orphaned == uid))
        {
            return await _finalizer.RemoveAsync(cached, cancellationToken);
        }

        var prepared = actions.Prepare(cached, template: null, PlanRequest.For(cached, null, unready.For));
        var failure = await actions.ActAsync(cached, prepared, cancellationToken);
        if (failure is not null)
        {
            var refusal = Refusal.IsOne(failure.Cause) ? _refusals.Refused(cached, failure.AsRefusal()) : failure.AsRefusal();
            await ReportAsync(cached, statuses.Latest(cached), o => o with { Refused = refusal }, cancellationToken);
            if (!Refusal.IsOne(failure.Cause))
            {
                ExceptionDispatchInfo.Throw(failure.Cause);
            }

            return new ReconcileResult(UntilAllowed(cached), refusal.Message);
        }

        if (actions.Owned(cached).Count > 0)
        {
            (_, var unwritten) = await ReportAsync(cached, statuses.Latest(cached), o => o, cancellationToken);
            return unwritten > TimeSpan.Zero ? ReconcileResult.After(unwritten)
                : actions.HasInFlight(cached) ? ReconcileResult.After(PodsInFlight.Doubtful)
                : ReconcileResult.Done;
        }

        return await _finalizer.RemoveAsync(cached, cancellationToken);
    }

    /// <summary>With the number of replicas that was chosen, where one is chosen.</summary>
    private ModelDeployment Scaled(ModelDeployment deployment) =>
        deployment.Spec.Autoscaling is null ? deployment : deployment.Scaled(autoscaler.Of(deployment).Desired);

    /// <returns>The status, and how long what of it is not written yet has to wait.</returns>
    private async Task<(ModelDeploymentStatus Status, TimeSpan Unwritten)> ReportAsync(
        ModelDeployment cached, ModelDeployment deployment, Func<Observation, Observation> complete, CancellationToken cancellationToken)
    {
        var owned = actions.Owned(deployment);
        deployment = Scaled(deployment);
        var observation = complete(new Observation
        {
            Deployment = deployment,
            Autoscaling = cached.Spec.Autoscaling is null ? null : autoscaler.Of(cached),
            ForeignAutoscaler = cached.Spec.Autoscaling is null
                ? null
                : await foreignAutoscalers.FindAsync(cached, cancellationToken),
            Pods = owned,
            LastLogs = await LastWords.ReadAsync(client, owned, cancellationToken),
            Stuck = await _creation.FindAsync(owned, cancellationToken),
            FindNode = name => nodes.Get(new NamespacedName("", name)),
            Now = time.GetUtcNow(),
        });
        var status = StatusBuilder.Build(observation);
        return (status, await statuses.WriteAsync(cached, status, cancellationToken));
    }
}
