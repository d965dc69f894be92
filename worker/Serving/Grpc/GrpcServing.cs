using System.Net;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Grpc.Framing;
using Cluster.Worker.Serving.Grpc.Services;
using Cluster.Worker.Tokenization;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>The worker's gRPC surface. The host calls these three; they call the services and <see cref="GrpcRouter"/>.</summary>
internal static class GrpcServing
{
    /// <summary>Streams a client may have open on one connection. With Kestrel's 100 a gateway's further requests would wait at the client, where the
    /// scheduler does not see them.</summary>
    private const int MaxStreamsPerConnection = 4096;

    /// <summary>Listens for gRPC over HTTP/2. Also sets limits of the whole server that fit long, idle and unevenly read streams.</summary>
    public static void ListenGrpc(this KestrelServerOptions kestrel, IPAddress address, int port, Action<ListenOptions> configure)
    {
        kestrel.Limits.Http2.MaxStreamsPerConnection = MaxStreamsPerConnection;

        // A client whose machine is gone says nothing; the ping finds out and frees its requests.
        kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);

        // One paused stream would otherwise end its connection, and with it every other request a gateway has on it.
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Listen(address, port, listener =>
        {
            listener.Protocols = HttpProtocols.Http2;
            configure(listener);
        });
    }

    public static IServiceCollection AddGrpcServing(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(new GrpcOptions());
        return services;
    }

    /// <summary>Serves every gRPC call and passes every other request on, so it shares an application with HTTP routes. Works from the first second:
    /// until the model is loaded, services that need it answer UNAVAILABLE.</summary>
    public static IApplicationBuilder UseGrpcServing(this IApplicationBuilder app, ServingState state)
    {
        var time = app.ApplicationServices.GetRequiredService<TimeProvider>();
        var stopping = app.ApplicationServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        var dispatcher = new GrpcDispatcher(
            app.ApplicationServices.GetRequiredService<GrpcOptions>(),
            time,
            Translate,
            app.ApplicationServices.GetRequiredService<ILogger<GrpcDispatcher>>());

        List<GrpcService> services =
        [
            new TextGenerationService(state).Bind(),
            new VllmEngineService(state, time).Bind(),
            new HealthService(state, stopping).Bind(),
        ];
        services.AddRange(new ReflectionService(services.Select(service => service.Descriptor), stopping).Bind());
        var router = new GrpcRouter(services, dispatcher);
        return app.Use(next => context => router.RouteAsync(context, next));
    }

    /// <summary>What the layers below refuse on purpose.</summary>
    public static GrpcException? Translate(Exception exception) => exception switch
    {
        InvalidRequestException or ChatTemplateException or TokenizationException => new GrpcException(StatusCode.InvalidArgument, exception.Message, exception),
        GenerationFailedException => new GrpcException(StatusCode.Internal, exception.Message, exception),
        QueueFullException => new GrpcException(StatusCode.ResourceExhausted, exception.Message, exception),
        EngineUnavailableException => new GrpcException(StatusCode.Unavailable, exception.Message, exception),
        _ => null,
    };
}
