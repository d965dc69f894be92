using System.Net;
using Cluster.Common;
using Cluster.Common.Metrics;
using Cluster.Operator.Gateway.Page;
using Cluster.Operator.Gateway.Routing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Gateway;

/// <summary>How to run a gateway.</summary>
internal sealed record GatewayOptions
{
    public const int DefaultPort = 8080;
    public const int DefaultInternalPort = 8081;
    public const int DefaultMaxRequestBytes = 32 << 20;
    public const long DefaultMaxInflightRequestBytes = 512L << 20;

    /// <summary>The secret that it shares with the operator; keys of deployments are derived from it.</summary>
    public required byte[] MasterKey { get; init; }

    /// <summary>Address of HTTP and gRPC.</summary>
    public IPAddress Host { get; init; } = IPAddress.Loopback;

    /// <summary>0 takes a free one, as for the other ports.</summary>
    public int Port { get; init; } = DefaultPort;

    public int GrpcPort { get; init; } = WorkerFlags.DefaultGrpcPort;

    /// <summary>Address of metrics, probes and what the operator asks.</summary>
    public IPAddress InternalHost { get; init; } = IPAddress.Loopback;

    public int InternalPort { get; init; } = DefaultInternalPort;

    /// <summary>Further names that it may be asked under.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Namespace whose deployments are served; null for all.</summary>
    public string? Namespace { get; init; }

    /// <summary>File of the keys that callers must show; null lets everyone in.</summary>
    public string? ApiKeysFile { get; init; }

    public RoutingPolicy Routing { get; init; } = RoutingPolicy.Prefix;

    /// <summary>Requests in work at one replica; null goes by its <c>maxNumSeqs</c>.</summary>
    public int? MaxRequestsPerReplica { get; init; }

    /// <summary>Requests of one model that may wait here.</summary>
    public int MaxQueue { get; init; } = 1024;

    /// <summary>How long one may wait while there are replicas.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long one may wait for the first replica of its model.</summary>
    public TimeSpan ColdStartTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a request that has lost its replica may wait for another one.</summary>
    public TimeSpan FailoverTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Silence of a replica after which it is asked whether it lives.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Replicas that may fail a request before it is given up.</summary>
    public int MaxRetries { get; init; } = 5;

    public int MaxRequestBytes { get; init; } = DefaultMaxRequestBytes;

    /// <summary>Bytes of all bodies in work together.</summary>
    public long MaxInflightRequestBytes { get; init; } = DefaultMaxInflightRequestBytes;

    /// <summary>How long requests may take to finish after it was told to stop.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Local mode: answers say which replica they are from.</summary>
    public bool IsLocal { get; init; }

    /// <summary>Kills replicas from the page; null where nobody may, which is everywhere but in local mode.</summary>
    public IReplicaKiller? Killer { get; init; }

    /// <summary>Its name among gateways.</summary>
    public string Name { get; init; } = $"{Environment.MachineName}-{Environment.ProcessId}";

    public MetricsRegistry Metrics { get; init; } = new();

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Used from several threads at once.</summary>
    public Random Random { get; init; } = Random.Shared;

    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;
}
