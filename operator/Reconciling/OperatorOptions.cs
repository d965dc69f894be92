using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling.Autoscaling;
using Cluster.Operator.Reconciling.Sizing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Reconciling;

/// <summary>How to run the operator.</summary>
internal sealed record OperatorOptions
{
    public required WorkerOptions Worker { get; init; }

    /// <summary>Namespace whose ModelDeployments are served; null for all.</summary>
    public string? Namespace { get; init; }

    /// <summary>Where demand is read for <c>spec.autoscaling</c>; null where there is no gateway. The key of workers is
    /// <see cref="WorkerOptions.GatewayMasterKey"/>.</summary>
    public GatewayAccess? Gateways { get; init; }

    /// <summary>Deployments reconciled at once.</summary>
    public int Workers { get; init; } = 4;

    /// <summary>Null to lead without asking, where there can be only one process.</summary>
    public LeaderElectionOptions? LeaderElection { get; init; }

    /// <summary>Where configurations of models are read for <c>tensorParallelSize: auto</c>.</summary>
    public IModelConfigs ModelConfigs { get; init; } = new NoModelConfigs();

    public MetricsRegistry Metrics { get; init; } = new();

    /// <summary>Told what the operator waits for.</summary>
    public Readiness Readiness { get; init; } = new();

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Used from several threads at once.</summary>
    public Random Random { get; init; } = Random.Shared;

    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;
}
