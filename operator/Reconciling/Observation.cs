using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Autoscaling;
using Cluster.Operator.Reconciling.Preloading;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Everything <see cref="StatusBuilder"/> makes a status from.</summary>
internal sealed record Observation
{
    public required ModelDeployment Deployment { get; init; }

    /// <summary>Pods it owns, after the plan was carried out.</summary>
    public required IReadOnlyList<Replica> Pods { get; init; }

    /// <summary>Hash of the current template; null when none can be made.</summary>
    public string? TemplateHash { get; init; }

    public Shortage? Shortage { get; init; }

    /// <summary>How tensorParallelSize auto was decided, or why it could not be; null for a number, or when nobody looked.</summary>
    public SizingStatus? Sizing { get; init; }

    /// <summary>What was decided for <c>spec.autoscaling</c>, in whose place the deployment has a number; null where it has none.</summary>
    public AutoscalerState? Autoscaling { get; init; }

    /// <summary>A HorizontalPodAutoscaler that targets a deployment with <c>spec.autoscaling</c>.</summary>
    public string? ForeignAutoscaler { get; init; }

    /// <summary>How far the caches of nodes are; null without <c>spec.model.preload</c>, or when nobody looked.</summary>
    public CacheFilling? Preload { get; init; }

    /// <summary>Why no pod can be made from the spec.</summary>
    public string? Invalid { get; init; }

    /// <summary>What the API server does not let us write.</summary>
    public Refusal? Refused { get; init; }

    /// <summary>What pods say of wrong results that they compute, by pod name.</summary>
    public IReadOnlyDictionary<string, string> WrongResults { get; init; } = new Dictionary<string, string>();

    /// <summary>Why a pod does not get its containers.</summary>
    public PodProblem? Stuck { get; init; }

    /// <summary>What has to go before anything can be made; it goes by itself.</summary>
    public string? Awaited { get; init; }

    /// <summary>Last log lines of crashed workers, by pod name.</summary>
    public IReadOnlyDictionary<string, string> LastLogs { get; init; } = new Dictionary<string, string>();

    public required Func<string, V1Node?> FindNode { get; init; }

    public required DateTimeOffset Now { get; init; }
}
