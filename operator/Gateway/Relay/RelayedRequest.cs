using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Routing;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>A request on its way to replicas, with all that outlives one of them.</summary>
internal sealed record RelayedRequest(
    RequestEnvelope Envelope, RequestFacts Facts, ReadOnlyMemory<byte> Body, RouteRequest Route, RequestTrace Trace)
{
    public StreamProgress Progress { get; } = new();
}
