using System.Text.Json.Nodes;
using Cluster.Common.Metrics;
using Cluster.Operator.Gateway.Grpc;
using Cluster.Operator.Gateway.Relay;
using Yarp.ReverseProxy.Forwarder;

namespace Cluster.Operator.Gateway.Http;

/// <summary>Every path of a gateway.</summary>
internal static class GatewayEndpoints
{
    public static void MapPublic(WebApplication routes, GatewayServices services)
    {
        var replicas = services.Replicas;
        var relay = new HttpRelay(services);
        var through = new PassThrough(services, routes.Services.GetRequiredService<IHttpForwarder>());
        foreach (var path in (string[])["/v1/chat/completions", "/v1/completions", "/generate", "/generate_stream", "/"])
        {
            routes.MapPost(path, relay.HandleAsync);
        }

        routes.MapPost("/tokenize", through.PostAsync);
        routes.MapPost("/detokenize", through.PostAsync);
        Read(routes, "/info", through.GetAsync);
        Read(routes, "/v1/models", context =>
        {
            var key = services.Gate.Admit(context.Request.Headers);
            return context.Response.WriteAsJsonAsync(ModelsEndpoint.List(replicas.Snapshot, key.MayUse));
        });

        // Names of the hub have a slash in them, which clients may escape; escaped, it is left as it is by the server.
        Read(routes, "/v1/models/{**id}", context =>
        {
            var id = Uri.UnescapeDataString((string?)context.Request.RouteValues["id"] ?? "");
            var deployments = services.RequireModel(id, services.Gate.Admit(context.Request.Headers));
            return context.Response.WriteAsJsonAsync(ModelsEndpoint.Card(id, deployments));
        });
        MapProbes(routes, services);
        MapGrpc(routes, services, through);
    }

    public static void MapInternal(WebApplication routes, GatewayServices services)
    {
        MapProbes(routes, services);
        routes.MapGet("/internal/demand", new DemandEndpoint(services).HandleAsync);
        Read(routes, "/metrics", context =>
        {
            services.Observe();
            context.Response.ContentType = MetricsRegistry.ContentType;
            return context.Response.WriteAsync(services.Options.Metrics.Render());
        });
    }

    private static void MapGrpc(WebApplication routes, GatewayServices services, PassThrough through)
    {
        var relay = new GrpcRelay(services);
        var health = new GrpcHealth(services);
        Call(GrpcMethods.Generate, relay.HandleAsync);
        Call(GrpcMethods.GenerateStream, relay.HandleAsync);
        Call(GrpcMethods.VllmGenerate, relay.HandleAsync);
        Call(GrpcMethods.VllmAbort, through.AbortAsync);
        Call(GrpcMethods.Text + "{method}", through.CallAsync);
        Call(GrpcMethods.Vllm + "{method}", through.CallAsync);
        Call("/grpc.reflection.v1.ServerReflection/{method}", through.StreamAsync);
        Call("/grpc.reflection.v1alpha.ServerReflection/{method}", through.StreamAsync);
        Call("/grpc.health.v1.Health/Check", health.CheckAsync);
        Call("/grpc.health.v1.Health/Watch", health.WatchAsync);

        void Call(string pattern, RequestDelegate answer) =>
            routes.MapPost(pattern, context => GrpcErrors.HandleAsync(context, answer));
    }

    private static void MapProbes(WebApplication routes, GatewayServices services)
    {
        Read(routes, "/health", _ => Task.CompletedTask);
        Read(routes, "/ping", _ => Task.CompletedTask);
        Read(routes, "/ready", context =>
        {
            var reason = services.IsDraining ? "the gateway stops"
                : services.Replicas.HasSynced ? null
                : services.Replicas.Readiness.Text;
            context.Response.StatusCode = reason is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            return context.Response.WriteAsJsonAsync(new JsonObject { ["ready"] = reason is null, ["reason"] = reason });
        });
    }

    /// <summary>Load balancers look with HEAD.</summary>
    private static void Read(WebApplication routes, string pattern, RequestDelegate answer) =>
        routes.MapMethods(pattern, [HttpMethods.Get, HttpMethods.Head], answer);
}
