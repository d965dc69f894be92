using Cluster.Common.Metrics;
using Cluster.Operator.NodeAgent.Plugin;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.NodeAgent;

/// <summary>How to run the node agent.</summary>
internal sealed record NodeAgentOptions
{
    /// <summary>The Node object of this machine.</summary>
    public required string NodeName { get; init; }

    public string SysRoot { get; init; } = "/sys";

    public string DevRoot { get; init; } = "/dev";

    public string ProcRoot { get; init; } = "/proc";

    /// <summary>Between two looks at the machine. Also how long the machine stays tuned after the last pod that asked for it.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>To offer the GPUs to the kubelet as well; null does not.</summary>
    public KubeletPluginOptions? Plugin { get; init; }

    public MetricsRegistry Metrics { get; init; } = new();

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public Random Random { get; init; } = Random.Shared;

    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;
}
