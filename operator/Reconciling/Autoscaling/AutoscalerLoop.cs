using System.Collections.Concurrent;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>Looks at the demand for each deployment with <c>spec.autoscaling</c> every second, has <see cref="Autoscaler"/> decide, and
/// wakes the reconciler where something has changed. <see cref="ModelDeploymentReconciler"/> reads the number from here. Run by
/// <see cref="OperatorHost"/>.</summary>
/// <remarks>Level-triggered: each look decides by what is there. What it remembers begins from the status.</remarks>
/// <param name="owned">Pods of a deployment, by its uid.</param>
/// <param name="loads">Requests that ready pods have running and waiting themselves, whoever sent them.</param>
internal sealed class AutoscalerLoop(
    ObjectStore<ModelDeployment> deployments,
    Func<string, IReadOnlyList<Replica>> owned,
    IDemandSource demand,
    WorkerLoads loads,
    Action<NamespacedName> wake,
    TimeProvider time,
    ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, AutoscalerState> _states = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Told> _told = new(StringComparer.Ordinal);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(Interval, time, cancellationToken);
                try
                {
                    await LookAsync(cancellationToken);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // A mistake of ours must not end scaling for good.
                    logger.LogError(e, "autoscaler: a look at demand failed: {Message}", e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The ordinary way to stop.
        }
    }

    /// <summary>Decides for every deployment that has autoscaling.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        List<ModelDeployment> scaled = [.. deployments.List().Where(IsScaled)];
        var uids = scaled.Select(d => d.Metadata.Uid!).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in _states.Keys.Where(uid => !uids.Contains(uid)))
        {
            _states.TryRemove(gone, out _);
            _told.TryRemove(gone, out _);
        }

        if (scaled.Count == 0)
        {
            return;
        }

        var wanted = await demand.ReadAsync([.. scaled.Select(NamespacedName.Of)], cancellationToken);
        foreach (var deployment in scaled)
        {
            await DecideAsync(deployment, wanted[NamespacedName.Of(deployment)], cancellationToken);
        }
    }

    /// <summary>How many replicas a deployment with <c>spec.autoscaling</c> shall have, as far as is known.</summary>
    public AutoscalerState Of(ModelDeployment deployment)
    {
        var spec = deployment.Spec.Autoscaling!;
        var state = _states.GetOrAdd(
            deployment.Metadata.Uid!,
            uid => AutoscalerState.Begin(spec, deployment.Status?.Autoscaling, owned(uid).Count(p => !p.Terminating)));

        // The bounds may have changed since the last look.
        var bounded = Math.Clamp(state.Desired, spec.Least(), Math.Max(spec.Least(), spec.MaxReplicas));
        return bounded == state.Desired
            ? state
            : state with { Desired = bounded };
    }

    private static bool IsScaled(ModelDeployment deployment) =>
        deployment is { Spec.Autoscaling: not null, Metadata: { DeletionTimestamp: null, Uid: not null } };

    private async Task DecideAsync(ModelDeployment deployment, Demand wanted, CancellationToken cancellationToken)
    {
        var spec = deployment.Spec.Autoscaling!;
        List<ValidationError> errors = [];
        AutoscalingValidator.Validate(deployment.Spec, errors);
        if (errors.Count > 0)
        {
            return; // The reconciler tells; what serves goes on serving.
        }

        var uid = deployment.Metadata.Uid!;
        var pods = owned(uid);
        var now = time.GetUtcNow();
        var before = Of(deployment);
        var after = Autoscaler.Decide(spec, wanted, pods.Count(p => p.Ready), before, now);
        if (after.Desired == 0 && before.Desired > 0 && spec.Least() == 0 && await AreInUseAsync(pods, cancellationToken))
        {
            // Beside the gateway, through the deployment's own Service.
            after = before with { LowSince = null, LowPeak = 0, Missing = after.Missing, IsLimited = after.IsLimited };
        }

        _states[uid] = after;
        var told = new Told(after.ToStatus(deployment.Status?.Autoscaling, now), after.Missing, after.IsLimited);
        if (!_told.TryGetValue(uid, out var last) || !last.IsLike(told))
        {
            _told[uid] = told;
            wake(NamespacedName.Of(deployment));
        }
    }

    private async Task<bool> AreInUseAsync(IReadOnlyList<Replica> pods, CancellationToken cancellationToken) =>
        (await loads.ReadAllAsync(pods, cancellationToken)).Values.Any(load => load > 0);

    /// <summary>What the reconciler was woken for last.</summary>
    private sealed record Told(AutoscalingStatus Status, string? Missing, bool IsLimited)
    {
        public bool IsLike(Told other) =>
            (Missing, IsLimited) == (other.Missing, other.IsLimited)
            && (Status.DesiredReplicas, Status.Message, Status.LastScaleTime, Status.LowSince, Status.LowPeak)
                == (other.Status.DesiredReplicas, other.Status.Message, other.Status.LastScaleTime, other.Status.LowSince,
                    other.Status.LowPeak);
    }
}
