using Cluster.Operator.Api;
using Cluster.Operator.Gateway.Replicas;
using Yarp.ReverseProxy.Forwarder;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>What changes between the client's request and the worker's: the client's key stays here, and the gateway shows
/// its own.</summary>
internal sealed class ReplicaTransformer(ServingDeployment deployment) : HttpTransformer
{
    private const string InternalPrefix = "x-cluster-";

    public override async ValueTask TransformRequestAsync(
        HttpContext context, HttpRequestMessage request, string destination, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(context, request, destination, cancellationToken);

        // A worker on a loopback address answers to its own name only.
        request.Headers.Host = null;
        request.Headers.Remove("Authorization");
        request.Headers.Remove("Origin");
        request.Headers.Remove("Cookie");
        request.Headers.TryAddWithoutValidation(GatewayKey.Header, deployment.Key);
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext context, HttpResponseMessage? response, CancellationToken cancellationToken)
    {
        var proceed = await base.TransformResponseAsync(context, response, cancellationToken);
        var headers = context.Response.Headers;
        foreach (var name in headers.Keys.Where(name => name.StartsWith(InternalPrefix, StringComparison.OrdinalIgnoreCase)).ToList())
        {
            headers.Remove(name);
        }

        return proceed;
    }
}
