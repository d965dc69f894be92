using System.Net;
using Cluster.Operator.Gateway.Admission;
using Cluster.Operator.Gateway.Grpc;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Replicas;
using Yarp.ReverseProxy.Forwarder;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>Requests that any replica of their model can answer and that need no continuation: YARP sends them on as they are. One whose
/// replica cannot be reached goes to the next.</summary>
internal sealed class PassThrough(GatewayServices services, IHttpForwarder forwarder)
{
    private static readonly TimeSpan MostSilence = TimeSpan.FromMinutes(10);

    private static readonly ForwarderRequestConfig Http1 = new() { ActivityTimeout = MostSilence };

    private static readonly ForwarderRequestConfig Http2 = new()
    {
        ActivityTimeout = MostSilence,
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private int _turn;

    /// <summary>HTTP with a JSON body that names the model.</summary>
    public async Task PostAsync(HttpContext context)
    {
        var key = services.Gate.Admit(context.Request.Headers);
        using var body = await services.Bodies.ReadAsync(context.Request.Body, context.Request.ContentLength, context.RequestAborted);
        var facts = RequestFacts.Read(context.Request.Path, body.Bytes);
        await SendAsync(context, key, facts.Model ?? ModelHeader(context), body.Bytes, Http1);
    }

    /// <summary>HTTP without a body.</summary>
    public Task GetAsync(HttpContext context) =>
        SendAsync(context, services.Gate.Admit(context.Request.Headers), ModelHeader(context), [], Http1);

    /// <summary>A unary call of gRPC, or one whose answer is a stream.</summary>
    public async Task CallAsync(HttpContext context)
    {
        var key = services.Gate.Admit(context.Request.Headers);
        using var body = await services.Bodies.ReadAsync(context.Request.Body, context.Request.ContentLength, context.RequestAborted);
        var message = GrpcFrame.Only(body.Bytes, context.Request.Headers["grpc-encoding"], services.Options.MaxRequestBytes);
        var model = GrpcMethods.ModelOf(context.Request.Path.Value!, message) ?? ModelHeader(context);
        await SendAsync(context, key, model, body.Bytes, Http2);
    }

    /// <summary>A call whose request is a stream: it has one replica, chosen before anything is read.</summary>
    public async Task StreamAsync(HttpContext context)
    {
        var key = services.Gate.Admit(context.Request.Headers);
        var (deployment, replica) = Ready(AnyModel(context, key)).FirstOrDefault();
        if (replica is null)
        {
            throw GatewayException.Unavailable("no model has a ready replica");
        }

        await forwarder.SendAsync(
            context, replica.Grpc.ToString(), services.Connections.Grpc, Http2, new ReplicaTransformer(deployment), context.RequestAborted);
    }

    /// <summary>Where a request runs is the gateway's business, so every replica is told to end it.</summary>
    public async Task AbortAsync(HttpContext context)
    {
        var key = services.Gate.Admit(context.Request.Headers);
        using var body = await services.Bodies.ReadAsync(context.Request.Body, context.Request.ContentLength, context.RequestAborted);
        var message = GrpcFrame.Only(body.Bytes, context.Request.Headers["grpc-encoding"], services.Options.MaxRequestBytes);
        await Task.WhenAll(Ready(AnyModel(context, key)).Select(
            one => TellAsync(one.Deployment, one.Replica, context.Request.Path, message, context.RequestAborted)));
        context.Response.ContentType = "application/grpc";
        await context.Response.BodyWriter.WriteAsync(GrpcFrame.Write([]), context.RequestAborted);
        GrpcErrors.End(context, GrpcErrors.Ok, "");
    }

    private static string? ModelHeader(HttpContext context) => context.Request.Headers["X-Model"].FirstOrDefault();

    private IEnumerable<ServingDeployment> AnyModel(HttpContext context, ApiKeyAccount key) => ModelHeader(context) is { } model
        ? services.RequireModel(model, key)
        : services.Replicas.Snapshot.Deployments.Where(deployment => key.MayUse(deployment.ServedName));

    private IEnumerable<(ServingDeployment Deployment, ServingReplica Replica)> Ready(IEnumerable<ServingDeployment> deployments) =>
        deployments.SelectMany(
            deployment => deployment.Replicas.Where(replica => replica.Ready && !services.States.Of(replica).IsSuspect),
            (deployment, replica) => (deployment, replica));

    private async Task SendAsync(HttpContext context, ApiKeyAccount key, string? model, byte[] body, ForwarderRequestConfig config)
    {
        var deployments = services.RequireModel(model, key);
        var ready = Ready(deployments).ToList();
        if (ready.Count == 0)
        {
            throw GatewayException.Unavailable(GatewayServices.WhyNone(deployments));
        }

        var first = (uint)Interlocked.Increment(ref _turn);
        for (var i = 0; i < ready.Count; i++)
        {
            var (deployment, replica) = ready[(int)((first + (uint)i) % (uint)ready.Count)];
            context.Request.Body = new MemoryStream(body);
            var isHttp2 = ReferenceEquals(config, Http2);
            var error = await forwarder.SendAsync(
                context, (isHttp2 ? replica.Grpc : replica.Http).ToString(),
                isHttp2 ? services.Connections.Grpc : services.Connections.Http, config, new ReplicaTransformer(deployment),
                context.RequestAborted);
            if (error is not ForwarderError.Request)
            {
                return;
            }

            services.Health.Suspect(replica);
            context.Response.Clear();
        }

        throw GatewayException.Unavailable($"none of the {ready.Count} replicas could be reached");
    }

    private async Task TellAsync(
        ServingDeployment deployment, ServingReplica replica, PathString path, byte[] message, CancellationToken cancellationToken)
    {
        using var call = new HttpRequestMessage(HttpMethod.Post, new Uri(replica.Grpc, path.Value))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(GrpcFrame.Write(message)),
        };
        call.Content.Headers.ContentType = new System.Net.Http.Headers.MediaTypeHeaderValue("application/grpc");
        call.Headers.TryAddWithoutValidation("te", "trailers");
        call.Headers.TryAddWithoutValidation(Api.GatewayKey.Header, deployment.Key);
        try
        {
            using var response = await services.Connections.Grpc.SendAsync(call, cancellationToken);
            await response.Content.LoadIntoBufferAsync(1 << 20, cancellationToken);
        }
        catch (Exception lost) when (lost is HttpRequestException or IOException)
        {
            // What a lost replica had is over anyway.
            services.Health.Suspect(replica);
        }
    }
}
