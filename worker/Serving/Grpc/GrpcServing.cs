using System.Net;
using Cluster.Worker.Serving.Grpc.Services;
using Grpc.Core;
using Grpc.HealthCheck;
using Grpc.Reflection;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>The worker's gRPC surface. The host calls these three; they set the library up with the services and put
/// <see cref="GrpcGate"/> before it.</summary>
internal static class GrpcServing
{
    /// <summary>Streams a client may have open on one connection. With Kestrel's 100 a gateway's further requests would wait at the client,
    /// where the scheduler does not see them.</summary>
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

    public static IServiceCollection AddGrpcServing(this IServiceCollection services, ServingState state, GrpcOptions limits)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(state);
        services.TryAddSingleton(new WorkerHealth(state, WorkerHealth.DefaultTimeout));
        services.AddSingleton(limits);
        services.AddSingleton<TextGenerationService>();
        services.AddSingleton<VllmEngineService>();
        services.AddSingleton<CallInterceptor>();
        services.AddSingleton<ReflectionInterceptor>();
        var grpc = services.AddGrpc(options =>
        {
            options.IgnoreUnknownServices = true;
            options.MaxReceiveMessageSize = limits.MaxReceiveMessageBytes;
            options.CompressionProviders = [new LimitedGzip(limits.MaxReceiveMessageBytes)];
            options.ResponseCompressionAlgorithm = LimitedGzip.Name;
            options.Interceptors.Add<CallInterceptor>();
        });

        // The state is pushed as it changes; the checks that the library would poll are none.
        services.AddSingleton<HealthServiceImpl, HealthService>();
        services.AddGrpcHealthChecks(options =>
        {
            options.UseHealthChecksCache = true;
            options.Services.Clear();
        });
        services.AddGrpcReflection();
        grpc.AddServiceOptions<ReflectionServiceImpl>(options => options.Interceptors.Add<ReflectionInterceptor>());
        grpc.AddServiceOptions<ReflectionV1ServiceImpl>(options => options.Interceptors.Add<ReflectionInterceptor>());

        // It logs each status, and what a caller did wrong as the server's error. What is unexpected is logged here.
        services.AddLogging(logging => logging.AddFilter("Grpc.AspNetCore.Server.ServerCallHandler", LogLevel.None));
        return services;
    }

    /// <summary>Serves every gRPC call and passes every other request on, so it shares an application with HTTP routes. Works from the
    /// first second: until the model is loaded, services that need it answer UNAVAILABLE.</summary>
    public static void UseGrpcServing(this WebApplication app)
    {
        app.MapGrpcService<TextGenerationService>();
        app.MapGrpcService<VllmEngineService>();
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
        var endpoints = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints);
        var gate = ActivatorUtilities.CreateInstance<GrpcGate>(app.Services, endpoints);
        app.Use(next => context => gate.RunAsync(context, next));
    }

    /// <summary>Sends each response as it comes. A slow client slows the enumeration down.</summary>
    public static async Task WriteAllAsync<T>(this IAsyncStreamWriter<T> writer, IAsyncEnumerable<T> responses)
    {
        await foreach (var response in responses)
        {
            await writer.WriteAsync(response);
        }
    }
}
