using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Reconciling;

/// <summary>Makes a ModelDeployment's status. No I/O. Conditions:
/// <list type="bullet">
/// <item>Ready — all replicas serve: AllReplicasReady, ScaledToZero | ReplicasNotReady, InvalidSpec</item>
/// <item>Progressing — something is still to change: Preloading, RollingOut, CreatingReplicas, ScalingDown, WaitingForReplicas, Deleting,
/// AwaitingGarbageCollection | Complete,
/// InsufficientGpus, NoGpuNodes, DevicePluginConflict, DevicePluginNotReady, ModelTooLarge, ModelConfigUnknown, InvalidSpec</item>
/// <item>Degraded — a person should look: InvalidSpec, PodRefused, WriteRefused, WrongResults, WorkerCrashed, OutOfMemory, the kubelet's
/// reasons | AsExpected</item>
/// <item>GpusAllocated — Allocated, DevicePlugin, ResourceClaim, NotNeeded | Allocating, InsufficientGpus, NoGpuNodes,
/// DevicePluginConflict, DevicePluginNotReady,
/// Unschedulable, ModelTooLarge, ModelConfigUnknown, InvalidSpec</item>
/// <item>NodeTuned — NumaBalancingOff, Unmanaged, NotPlaced | NumaBalancingOn, AwaitingNodeAgent</item>
/// <item>Preloaded, with spec.model.preload only — AllPreloaded | Preloading, PreloadFailed</item>
/// <item>Autoscaling, with spec.autoscaling only — AsDemanded, AtMaximum, ScaledToZero | DemandUnknown, HorizontalPodAutoscaler</item>
/// </list></summary>
internal static class StatusBuilder
{
    private const int MessageLimit = 1024;
    private const string AutoscalingCondition = "Autoscaling";
    private const string PreloadedCondition = "Preloaded";

    public static ModelDeploymentStatus Build(Observation o)
    {
        var deployment = o.Deployment;
        List<Replica> active = [.. o.Pods.Where(p => !p.Terminating && !p.Finished)];
        var sizing = o.Sizing ?? (deployment.Spec.TensorParallelSize.IsAuto ? deployment.Status?.Sizing : null);
        var host = $"{deployment.Metadata.Name}.{deployment.Metadata.NamespaceProperty}.svc";
        ModelDeploymentStatus status = new()
        {
            ObservedGeneration = deployment.Metadata.Generation,
            DesiredReplicas = Wanted(o),
            Replicas = active.Count,
            ReadyReplicas = active.Count(p => p.Ready),
            UpdatedReplicas = active.Count(p => p.TemplateHash == o.TemplateHash),
            TensorParallelSize = sizing is not null
                ? sizing.TensorParallelSize
                : deployment.Spec.TensorParallelSize is { Degree: > 0 } size ? size.Degree : null,
            Sizing = sizing,
            Autoscaling = o.Autoscaling?.ToStatus(deployment.Status?.Autoscaling, o.Now),
            Preload = o.Preload is { } preload ? [.. preload.Nodes]
                : deployment.Spec.Model.Preload == true ? deployment.Status?.Preload : null,
            Selector = $"{ApiNames.DeploymentLabel}={deployment.Metadata.Name}",
            Placements = [.. o.Pods.Where(p => !p.Finished).OrderBy(p => p.Name, StringComparer.Ordinal).Select(PlacementOf)],
            Endpoints = new Endpoints
            {
                Grpc = $"{host}:{WorkerFlags.DefaultGrpcPort}",
                Http = $"http://{host}:{WorkerFlags.DefaultHttpPort}",
            },
        };
        ConditionList conditions = new(deployment.Status?.Conditions, deployment.Metadata.Generation, o.Now);
        SetReady(conditions, o, status);
        SetProgressing(conditions, o, status);
        SetDegraded(conditions, o);
        SetGpusAllocated(conditions, o, active);
        SetNodeTuned(conditions, o, active);
        SetPreloaded(conditions, o);
        SetAutoscaling(conditions, o);
        status.Conditions = conditions.ToList();
        return status;
    }

    private static Placement PlacementOf(Replica pod) => new()
    {
        Pod = pod.Name,
        Node = pod.Node,
        Gpus = [.. pod.Gpus.Select(g => g.ToString(System.Globalization.CultureInfo.InvariantCulture))],
        Uuids = pod.Uuids.Count > 0 ? [.. pod.Uuids] : null,
        Ready = pod.Ready,
    };

    private static int Wanted(Observation o) => o.Deployment.Metadata.DeletionTimestamp is null ? o.Deployment.Spec.Replicas : 0;

    private static void SetReady(ConditionList conditions, Observation o, ModelDeploymentStatus status)
    {
        var wanted = Wanted(o);
        var count = $"{status.ReadyReplicas} of {wanted} replicas ready";
        if (o.Invalid is not null)
        {
            conditions.Set(
                "Ready", status.ReadyReplicas > 0 && status.ReadyReplicas >= wanted, "InvalidSpec",
                $"{count}, serving an earlier spec; {o.Invalid}");
        }
        else if (wanted == 0)
        {
            conditions.Set("Ready", true, "ScaledToZero", "no replicas wanted");
        }
        else
        {
            var ready = status.ReadyReplicas >= wanted;
            conditions.Set("Ready", ready, ready ? "AllReplicasReady" : "ReplicasNotReady", count);
        }
    }

    private static void SetProgressing(ConditionList conditions, Observation o, ModelDeploymentStatus status)
    {
        var wanted = Wanted(o);
        var outdated = status.Replicas - status.UpdatedReplicas;
        (var value, var reason, var message) = o switch
        {
            { Deployment.Metadata.DeletionTimestamp: not null } =>
                (true, "Deleting", o.Pods.Count == 1 ? "1 pod still holds its GPUs" : $"{o.Pods.Count} pods still hold their GPUs"),
            { Invalid: { } invalid } => (false, "InvalidSpec", invalid),
            { Awaited: { } awaited } => (true, "AwaitingGarbageCollection", awaited),
            { Preload: { HoldsUp: true } preload } => (true, "Preloading", preload.Message),
            { Shortage: { } shortage } => (false, shortage.Reason, shortage.Message),
            _ when outdated > 0 =>
                (true, "RollingOut", $"{status.UpdatedReplicas} of {wanted} replicas are up to date, {outdated} outdated"),
            _ when status.Replicas < wanted => (true, "CreatingReplicas", $"{status.Replicas} of {wanted} replicas exist"),
            _ when status.Replicas > wanted || o.Pods.Any(p => p.Terminating) => (
                true, "ScalingDown",
                o.Pods.Count(p => p.Terminating) is var ending and not 1 ? $"{ending} pods are ending" : "1 pod is ending"),
            _ when status.ReadyReplicas < wanted => (true, "WaitingForReplicas", $"{status.ReadyReplicas} of {wanted} replicas ready"),
            _ => (false, "Complete", "everything is as the spec asks"),
        };
        conditions.Set("Progressing", value, reason, message);
    }

    private static void SetDegraded(ConditionList conditions, Observation o)
    {
        if (o.Invalid is not null)
        {
            conditions.Set("Degraded", true, "InvalidSpec", Bounded(o.Invalid));
        }
        else if (o.Refused is not null)
        {
            conditions.Set("Degraded", true, o.Refused.Reason, Bounded(o.Refused.Message));
        }
        else if ((FirstProblem(o) ?? o.Stuck) is { } problem)
        {
            conditions.Set("Degraded", true, problem.Reason, Bounded(problem.Message));
        }
        else
        {
            conditions.Set("Degraded", false, "AsExpected", "no worker reports a problem");
        }
    }

    private static PodProblem? FirstProblem(Observation o)
    {
        foreach (var pod in o.Pods.OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            // Also while it ends: nobody sees it otherwise.
            if (o.WrongResults.TryGetValue(pod.Name, out var wrong))
            {
                return new PodProblem(WorkerReasons.WrongResults, $"pod {pod.Name} on {Devices(pod)} computes wrong results: {wrong}");
            }

            if (PodProblem.Of(pod) is { } problem)
            {
                return o.LastLogs.TryGetValue(pod.Name, out var log) && problem.CrashedContainer is not null
                    ? problem with { Message = $"{problem.Message}: {log.Trim()}" }
                    : problem;
            }
        }

        return null;
    }

    private static string Devices(Replica pod) => pod.Gpus.Count switch
    {
        0 => $"node {pod.Node}",
        1 => $"GPU {pod.Gpus[0]} of node {pod.Node}",
        _ => $"GPUs {string.Join(',', pod.Gpus)} of node {pod.Node}",
    };

    private static void SetGpusAllocated(ConditionList conditions, Observation o, List<Replica> active)
    {
        var wanted = Wanted(o);
        var placed = active.Count(p => p.Gpus.Count > 0);
        (var value, var reason, var message) = o switch
        {
            { Invalid: { } invalid } => ((bool?)null, "InvalidSpec", invalid),
            { Shortage: { } shortage } => (false, shortage.Reason, shortage.Message),
            _ when wanted == 0 => (true, "NotNeeded", "no replicas wanted"),
            { Deployment.Spec.Gpu.Allocation: not GpuAllocation.Pinned } when Unschedulable(active) is { } problem =>
                (false, problem.Reason, problem.Message),
            { Deployment.Spec.Gpu.Allocation: GpuAllocation.DevicePlugin } =>
                (true, "DevicePlugin", "the kubelet's device plugin chooses the GPUs"),
            { Deployment.Spec.Gpu.Allocation: GpuAllocation.ResourceClaim } =>
                (true, "ResourceClaim", "the scheduler and the DRA driver choose the GPUs"),
            _ when placed >= wanted => (
                true, "Allocated",
                $"{placed} {(placed == 1 ? "replica holds" : "replicas hold")} {ByteText.Gpus(active.Sum(p => p.Gpus.Count))}"),
            _ => (false, "Allocating", $"{placed} of {wanted} replicas hold GPUs"),
        };
        conditions.Set("GpusAllocated", value, reason, message);
    }

    private static PodProblem? Unschedulable(List<Replica> active) =>
        active.Select(PodProblem.Of).FirstOrDefault(p => p?.Reason == PodProblem.Unschedulable);

    private static void SetNodeTuned(ConditionList conditions, Observation o, List<Replica> active)
    {
        if (o.Deployment.Spec.Tuning.NumaBalancing == NumaBalancing.Unmanaged)
        {
            conditions.Set("NodeTuned", true, "Unmanaged", "kernel.numa_balancing is left as it is");
            return;
        }

        (var value, var reason, var message) = NodeTuning.Of(active, o.FindNode, o.Now);
        conditions.Set("NodeTuned", value, reason, message);
    }

    private static void SetPreloaded(ConditionList conditions, Observation o)
    {
        if (o.Preload is { } preload)
        {
            conditions.Set(
                PreloadedCondition, preload is { IsDone: true, Refused: null },
                preload.HasFailed ? "PreloadFailed" : preload.IsDone ? "AllPreloaded" : "Preloading", Bounded(preload.Message));
        }
        else if (o.Deployment.Spec.Model.Preload != true)
        {
            conditions.Remove(PreloadedCondition);
        }
    }

    private static void SetAutoscaling(ConditionList conditions, Observation o)
    {
        if (o.Autoscaling is not { } state)
        {
            conditions.Remove(AutoscalingCondition);
            return;
        }

        (var value, var reason, var message) = o switch
        {
            { ForeignAutoscaler: { } foreign } => (
                false, "HorizontalPodAutoscaler",
                $"HorizontalPodAutoscaler '{foreign}' targets this deployment too, and what it writes is refused: delete it, or take "
                + "spec.autoscaling away"),
            _ when state.Missing is { } missing => (
                false, "DemandUnknown", $"{missing}; no replica is taken away until it does: {state.Message}"),
            _ when state.IsLimited => (true, "AtMaximum", $"demand asks for more than maxReplicas; {state.Message}"),
            _ when state.Desired == 0 => (true, "ScaledToZero", $"the next request starts a replica; {state.Message}"),
            _ => (true, "AsDemanded", state.Message),
        };
        conditions.Set(AutoscalingCondition, value, reason, message);
    }

    /// <summary>One line, since kubectl prints conditions and events in columns. The end matters most: that is where an error says what it
    /// is.</summary>
    private static string Bounded(string message)
    {
        var line = message.Trim().ReplaceLineEndings(" | ");
        return line.Length <= MessageLimit
            ? line
            : string.Concat(line.AsSpan(0, MessageLimit / 4), " … ", line.AsSpan(line.Length - (MessageLimit / 2)));
    }
}
