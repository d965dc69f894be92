using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.NodeAgent.Plugin;

/// <summary>How to offer GPUs to the kubelet.</summary>
internal sealed record KubeletPluginOptions
{
    /// <summary>The kubelet's folder of device plugins, in which <c>kubelet.sock</c> is and the plugin's sockets go.</summary>
    public required string Folder { get; init; }

    /// <summary>Where CDI specifications are looked for; none by default.</summary>
    public IReadOnlyList<string> CdiFolders { get; init; } = [];

    /// <summary>Between two looks at the kubelet's socket; also the first pause after a registration that failed.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest such pause.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromMinutes(1);

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILogger Logger { get; init; } = NullLogger.Instance;
}
