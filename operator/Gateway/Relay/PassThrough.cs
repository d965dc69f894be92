using Cluster.Operator.Api;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Replicas;
using Yarp.ReverseProxy.Forwarder;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>Requests that any replica of their model can answer and that need no continuation: sent on as they are.</summary>
internal sealed class PassThrough(GatewayServices services, IHttpForwarder forwarder)
{
    private int _turn;

    public async Task HandleAsync(HttpContext context)
    {
        GatewayGuard.RefuseInternalHeaders(context.Request.Headers);
        using var body = await services.Bodies.ReadAsync(context.Request.Body, context.Request.ContentLength, context.RequestAborted);
        var facts = RequestFacts.Read(context.Request.Path, body.Bytes);
        var deployments = services.RequireModel(facts.Model);
        var ready = deployments.SelectMany(deployment => deployment.Replicas.Where(replica => replica.Ready), (d, r) => (d, r)).ToList();
        if (ready.Count == 0)
        {
            throw GatewayException.Unavailable(GatewayServices.WhyNone(deployments));
        }

        var (deployment, replica) = ready[(int)((uint)Interlocked.Increment(ref _turn) % (uint)ready.Count)];
        context.Request.Body = new MemoryStream(body.Bytes);
        await forwarder.SendAsync(
            context, replica.Http.ToString(), services.Connections.Http, ForwarderRequestConfig.Empty, new ReplicaTransformer(deployment));
    }
}

/// <summary>What changes between the client's request and the worker's: the client's key stays here, and the gateway shows its own.</summary>
internal sealed class ReplicaTransformer(ServingDeployment deployment) : HttpTransformer
{
    public override async ValueTask TransformRequestAsync(
        HttpContext context, HttpRequestMessage request, string destination, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(context, request, destination, cancellationToken);
        request.Headers.Host = null;
        request.Headers.Remove("Authorization");
        request.Headers.Remove("Origin");
        request.Headers.TryAddWithoutValidation(GatewayKey.Header, deployment.Key);
    }
}
