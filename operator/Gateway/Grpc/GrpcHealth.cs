using Cluster.Operator.Gateway.Http;
using Google.Protobuf;

namespace Cluster.Operator.Gateway.Grpc;

/// <summary><c>grpc.health.v1.Health</c> of the gateway itself: <c>liveness</c> while it runs, <c>readiness</c> and <c>""</c> while it
/// knows the cluster and takes requests, and each model's name while it has a ready replica.</summary>
internal sealed class GrpcHealth(GatewayServices services)
{
    private const int Serving = 1;
    private const int NotServing = 2;
    private const int Unknown = 3;

    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    public async Task CheckAsync(HttpContext context)
    {
        var service = await ReadAsync(context);
        var status = StatusOf(service);
        if (status == Unknown)
        {
            throw GatewayException.NotFound($"the service '{service}' is unknown", "unknown_service");
        }

        await SendAsync(context, status);
        GrpcErrors.End(context, GrpcErrors.Ok, "");
    }

    public async Task WatchAsync(HttpContext context)
    {
        var service = await ReadAsync(context);
        int? told = null;
        while (!services.Ending.IsCancellationRequested)
        {
            var status = StatusOf(service);
            if (status != told)
            {
                await SendAsync(context, status);
                told = status;
            }

            await Task.Delay(LookInterval, services.Options.Time, context.RequestAborted);
        }

        GrpcErrors.End(context, GrpcErrors.Unavailable, "the gateway stops");
    }

    private int StatusOf(string service) => service switch
    {
        "liveness" => Serving,
        "" or "readiness" => services.Replicas.HasSynced && !services.IsDraining ? Serving : NotServing,
        _ => services.Replicas.Snapshot.OfModel(service) is { Count: > 0 } deployments
            ? deployments.Any(deployment => deployment.ReadyReplicas > 0) ? Serving : NotServing
            : Unknown,
    };

    /// <summary>HealthCheckRequest: service = 1.</summary>
    private async Task<string> ReadAsync(HttpContext context)
    {
        using var body = await services.Bodies.ReadAsync(context.Request.Body, context.Request.ContentLength, context.RequestAborted);
        var message = GrpcFrame.Only(body.Bytes, context.Request.Headers["grpc-encoding"], services.Options.MaxRequestBytes);
        var service = "";
        try
        {
            ProtoFields.Visit(message, (field, _, input) =>
            {
                if (field != 1)
                {
                    return false;
                }

                service = input.ReadString();
                return true;
            });
        }
        catch (InvalidProtocolBufferException wrong)
        {
            throw GatewayException.BadRequest($"the message cannot be read: {wrong.Message}");
        }

        return service;
    }

    /// <summary>HealthCheckResponse: status = 1.</summary>
    private static async Task SendAsync(HttpContext context, int status)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.ContentType = "application/grpc";
        }

        await context.Response.BodyWriter.WriteAsync(GrpcFrame.Write([8, (byte)status]), context.RequestAborted);
    }
}
