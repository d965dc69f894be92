using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Local;

/// <summary>What a local cluster is made of.</summary>
internal sealed record LocalClusterOptions
{
    /// <summary>GPUs to simulate where the machine has none; null lets KFD decide and simulates 8 without it.</summary>
    public int? SimulatedGpus { get; init; }

    /// <summary>Folder that stands for the node's <c>/models</c>; null maps nothing.</summary>
    public string? ModelsFolder { get; init; }

    /// <summary>Where configurations of models are read that are not on this machine.</summary>
    public IModelConfigs HubConfigs { get; init; } = new NoModelConfigs();

    /// <summary>Port of the API server on 127.0.0.1; 0 takes a free one.</summary>
    public int ApiPort { get; init; }

    /// <summary>Port of the gateway on 127.0.0.1; 0 takes a free one, and null the usual one, or a free one where that is taken.</summary>
    public int? GatewayPort { get; init; }

    /// <summary>Names that the API server and the gateway may be asked under, besides their own.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>What podTemplates may have.</summary>
    public IReadOnlyCollection<PodPrivilege> PodPrivileges { get; init; } = [];

    /// <summary>Worker executable; null for the one built with the operator.</summary>
    public string? Worker { get; init; }

    /// <summary>Dotnet host to start workers with; null for the usual.</summary>
    public string? WorkerHost { get; init; }

    /// <summary>What workers compute on (their <c>--device</c>); null for the CPU where GPUs are simulated, else a GPU.</summary>
    public string? Device { get; init; }

    public required ILoggerFactory Logging { get; init; }
}
