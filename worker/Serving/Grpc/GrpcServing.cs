using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Grpc.Framing;
using Cluster.Worker.Serving.Grpc.Services;
using Cluster.Worker.Tokenization;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>The worker's gRPC surface. The host calls both methods and listens with <c>HttpProtocols.Http2</c>, without TLS (h2c) or with.</summary>
internal static class GrpcServing
{
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
    private static GrpcException? Translate(Exception exception) => exception switch
    {
        InvalidRequestException or ChatTemplateException => new GrpcException(StatusCode.InvalidArgument, exception.Message, exception),
        EngineUnavailableException => new GrpcException(StatusCode.Unavailable, exception.Message, exception),
        _ => null,
    };
}
