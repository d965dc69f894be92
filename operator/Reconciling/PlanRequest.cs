using Cluster.Operator.Api;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>What one ModelDeployment asks of <see cref="Planner"/>.</summary>
internal sealed record PlanRequest
{
    /// <summary>Replicas wanted; 0 while the deployment is being deleted.</summary>
    public required int Replicas { get; init; }

    /// <summary>GPUs per replica.</summary>
    public required int GroupSize { get; init; }

    public required GpuSpec Gpu { get; init; }

    /// <summary>Memory that each GPU must have for the group size to be right; null where a person has chosen it.</summary>
    public long? LeastVramBytes { get; init; }

    public required RolloutSpec Rollout { get; init; }

    /// <summary>Pods with another hash are replaced.</summary>
    public required string TemplateHash { get; init; }

    public required PodRequirements Requirements { get; init; }

    /// <summary>What a replica asks of its node beside GPUs.</summary>
    public NodeResources Asks { get; init; }

    /// <summary>False while a deployment whose pods keep failing waits out its backoff: failed pods then stay, as evidence and in place of
    /// their replacement.</summary>
    public bool ReplaceFailed { get; init; } = true;

    /// <summary>False while the API server refuses this deployment's pods: none is created, and none that serves is given up for
    /// one.</summary>
    public bool MayCreate { get; init; } = true;

    /// <summary>The same of deletions.</summary>
    public bool MayDelete { get; init; } = true;

    /// <summary>Pods that the scheduler does not put on the node chosen for them.</summary>
    public Func<Replica, bool> IsUnscheduled { get; init; } = _ => false;

    /// <summary>Nodes that did not get a pod of this deployment: others are better.</summary>
    public IReadOnlySet<string> Avoided { get; init; } = new HashSet<string>();

    /// <summary>Nodes whose caches are to be filled first: no replica is placed there yet.</summary>
    public IReadOnlySet<string> Unfilled { get; init; } = new HashSet<string>();

    /// <summary>What pods say of wrong results that they compute, by pod name. They go, so their GPUs must be marked.</summary>
    public IReadOnlyDictionary<string, string> WrongResults { get; init; } = new Dictionary<string, string>();

    public NodeLoss NodeLoss { get; init; } = NodeLoss.Never;

    /// <summary>Requests that pods have running and waiting, by pod name, where known: of ready pods the least loaded go first.</summary>
    public IReadOnlyDictionary<string, double> Loads { get; init; } = new Dictionary<string, double>();

    public bool IsPinned => Gpu.Allocation == GpuAllocation.Pinned;

    /// <summary>Ready replicas that may not be given up on purpose. With neither surge nor unavailability allowed no rollout could ever
    /// move, so one may be unavailable then (Deployments do the same).</summary>
    public int MinAvailable => Math.Max(0, Replicas - (Rollout is { MaxUnavailable: 0, MaxSurge: 0 } ? 1 : Rollout.MaxUnavailable));

    public int MaxReplicas => (int)Math.Min(int.MaxValue, (long)Replicas + Rollout.MaxSurge);

    public int GpusWanted => (int)Math.Min(int.MaxValue, (long)Replicas * GroupSize);

    /// <summary>Pods that one plan makes at most, as many as the ReplicaSet controller: the next plan goes on when these are
    /// seen.</summary>
    public int MostCreations { get; init; } = 500;

    /// <param name="template">Null for a deployment that is being deleted: whatever its pods were made from, they go.</param>
    /// <param name="unreadyFor">How long a node has been away; null when it is not.</param>
    public static PlanRequest For(ModelDeployment deployment, WorkerTemplate? template, Func<V1Node, TimeSpan?> unreadyFor) => new()
    {
        Replicas = template is null ? 0 : deployment.Spec.Replicas,
        GroupSize = deployment.Spec.TensorParallelSize.Degree,
        Gpu = deployment.Spec.Gpu,
        Rollout = deployment.Spec.Rollout,
        TemplateHash = template?.Hash ?? "",
        Requirements = template?.Requirements ?? PodRequirements.None,
        Asks = template?.Asks ?? default,
        NodeLoss = template is null ? NodeLoss.Never : new NodeLoss(template.Requirements.NodeLossTolerance, unreadyFor),
    };
}
