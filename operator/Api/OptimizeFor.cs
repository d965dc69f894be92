using System.Text.Json.Serialization;

namespace Cluster.Operator.Api;

/// <summary>What <c>tensorParallelSize: auto</c> is chosen for.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OptimizeFor>))]
internal enum OptimizeFor
{
    /// <summary>Most tokens a second from a number of GPUs: small replicas, and more of them.</summary>
    Throughput,

    /// <summary>Fewest milliseconds a token: all GPUs of a node work on each.</summary>
    Latency,
}
