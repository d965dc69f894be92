using System.Text.Json.Nodes;
using Cluster.Common.Metrics;
using Cluster.Operator.Gateway.Relay;

namespace Cluster.Operator.Gateway.Http;

/// <summary>Every path of a gateway that is not gRPC.</summary>
internal static class GatewayEndpoints
{
    public static void MapPublic(WebApplication routes, GatewayServices services)
    {
        var replicas = services.Replicas;
        var through = new PassThrough(services, routes.Services.GetRequiredService<Yarp.ReverseProxy.Forwarder.IHttpForwarder>());
        foreach (var path in (string[])["/v1/chat/completions", "/v1/completions", "/generate", "/generate_stream", "/", "/tokenize", "/detokenize"])
        {
            routes.MapPost(path, through.HandleAsync);
        }

        Read(routes, "/v1/models", context => context.Response.WriteAsJsonAsync(ModelsEndpoint.List(replicas.Snapshot, _ => true)));
        Read(routes, "/v1/models/{**id}", context =>
        {
            var id = Uri.UnescapeDataString((string?)context.Request.RouteValues["id"] ?? "");
            return context.Response.WriteAsJsonAsync(ModelsEndpoint.Card(id, services.RequireModel(id)));
        });
        MapProbes(routes, services);
    }

    public static void MapInternal(WebApplication routes, GatewayServices services)
    {
        MapProbes(routes, services);
        Read(routes, "/metrics", context =>
        {
            context.Response.ContentType = MetricsRegistry.ContentType;
            return context.Response.WriteAsync(services.Options.Metrics.Render());
        });
    }

    private static void MapProbes(WebApplication routes, GatewayServices services)
    {
        Read(routes, "/health", _ => Task.CompletedTask);
        Read(routes, "/ping", _ => Task.CompletedTask);
        Read(routes, "/ready", context =>
        {
            var reason = services.Replicas.HasSynced ? null : services.Replicas.Readiness.Text;
            context.Response.StatusCode = reason is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            return context.Response.WriteAsJsonAsync(new JsonObject { ["ready"] = reason is null, ["reason"] = reason });
        });
    }

    /// <summary>Load balancers look with HEAD.</summary>
    private static void Read(WebApplication routes, string pattern, RequestDelegate answer) =>
        routes.MapMethods(pattern, [HttpMethods.Get, HttpMethods.Head], answer);
}
