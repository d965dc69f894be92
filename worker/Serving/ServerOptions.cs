using Cluster.Worker.Serving.Relaying;
using Cluster.Worker.Serving.Telemetry;
using Cluster.Worker.Serving.Tls;

namespace Cluster.Worker.Serving;

/// <summary>Where a worker listens, and whom and what it takes.</summary>
/// <param name="Host">Address to bind; <c>0.0.0.0</c> for all.</param>
/// <param name="Port">HTTP port; 0 takes a free one.</param>
/// <param name="GrpcPort">gRPC port; 0 takes a free one.</param>
/// <param name="ShutdownTimeout">How long running requests may take to finish when the worker is told to stop.</param>
internal sealed record ServerOptions(string Host, int Port, int GrpcPort, TimeSpan ShutdownTimeout)
{
    /// <summary>32 MiB: a long document many times over.</summary>
    public const int DefaultMaxRequestBytes = 32 << 20;

    /// <summary>256 MiB: hundreds of long documents.</summary>
    public const long DefaultMaxInflightRequestBytes = 256L << 20;

    private const int FirstUserPort = 1024;
    private const int PortDistance = WorkerFlags.DefaultGrpcPort - WorkerFlags.DefaultHttpPort;

    /// <summary>Certificate and key of both ports; null serves without TLS.</summary>
    public TlsFiles? Tls { get; init; }

    public ApiKeys ApiKeys { get; init; } = ApiKeys.None;

    /// <summary>What the gateway in front of this worker shows; null when there is none.</summary>
    public GatewayKey? GatewayKey { get; init; }

    /// <summary>What this replica is called, for the gateway; null for nothing.</summary>
    public string? ReplicaName { get; init; }

    /// <summary>Whether requests share cached prefixes only with those of the same key.</summary>
    public bool IsolatesCacheByKey { get; init; }

    /// <summary>Files with secrets that other users of the machine can read; the server says so when it starts.</summary>
    public IReadOnlyList<string> OpenSecrets { get; init; } = [];

    /// <summary>Web pages that may call; null for none.</summary>
    public CrossOrigin? CrossOrigin { get; init; }

    /// <summary>Names that the server may be asked under, besides its own on loopback.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>The gRPC port that belongs to an HTTP port: as far from it as 50051 is from 8000, so that two workers on one machine need
    /// one option each. What would lie behind the last port begins again at the first one that needs no privilege.</summary>
    public static int GrpcPortFor(int port) => port switch
    {
        0 => 0,
        _ when port + PortDistance <= ushort.MaxValue => port + PortDistance,
        _ => port + PortDistance - ushort.MaxValue - 1 + FirstUserPort,
    };

    /// <summary>Largest HTTP body and gRPC message.</summary>
    public int MaxRequestBytes { get; init; } = DefaultMaxRequestBytes;

    /// <summary>Bytes that the bodies of all requests in work may have together (<see cref="Limits.BodyBudget"/>).</summary>
    public long MaxInflightRequestBytes { get; init; } = DefaultMaxInflightRequestBytes;

    /// <summary>Where traces and metrics are pushed; null for nowhere.</summary>
    public TelemetryOptions? Telemetry { get; init; }

    /// <summary>Longest time without a sign of life from an engine that has work; zero for any.</summary>
    public TimeSpan HealthTimeout { get; init; } = WorkerHealth.DefaultTimeout;

    /// <summary>Longest time a request may take; null for no limit.</summary>
    public TimeSpan? RequestTimeout { get; init; }
}
