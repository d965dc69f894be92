using Cluster.Common.Metrics;
using Cluster.Worker.Serving.Metrics;

namespace Cluster.Worker.Serving.Http;

internal sealed record ModelCard(string Id, string Object, long Created, string OwnedBy, string Root, int MaxModelLen);

internal sealed record ModelList(string Object, IReadOnlyList<ModelCard> Data);

internal sealed record VersionResponse(string Version);

/// <summary>The HTTP API: every path of this worker that is not gRPC. Called by <c>WorkerServer</c>; calls the endpoints of this
/// folder.</summary>
internal static class HttpEndpoints
{
    public static void MapHttp(
        this IEndpointRouteBuilder routes, ServingState state, WorkerHealth health, WorkerMetrics metrics, TimeProvider time)
    {
        routes.MapPost("/v1/completions", context => CompletionsEndpoint.HandleAsync(context, state, time));
        routes.MapPost("/v1/chat/completions", context => ChatCompletionsEndpoint.HandleAsync(context, state, time));
        routes.MapPost("/generate", context => GenerateEndpoint.HandleAsync(context, state));
        routes.MapPost("/generate_stream", context => TgiEndpoint.StreamAsync(context, state));
        routes.MapPost("/", context => TgiEndpoint.CompatibleAsync(context, state));
        Read("/info", context => context.Response.WriteAsJsonAsync(TgiInfo.Of(ServingRequest.RequireModel(state)), ApiJson.Options));
        routes.MapPost("/tokenize", context => TokenizeEndpoints.TokenizeAsync(context, state));
        routes.MapPost("/detokenize", context => TokenizeEndpoints.DetokenizeAsync(context, state));
        Read("/v1/models", context => context.Response.WriteAsJsonAsync(Models(state), ApiJson.Options));

        // Names of the hub have a slash in them, which clients may escape; escaped, it is left as it is by the server.
        Read("/v1/models/{**id}", context =>
        {
            var id = Uri.UnescapeDataString((string?)context.Request.RouteValues["id"] ?? "");
            ServingRequest.RequireName(ServingRequest.RequireModel(state), id);
            return context.Response.WriteAsJsonAsync(Models(state).Data.Single(card => card.Id == id), ApiJson.Options);
        });
        Read("/health", HealthAsync);

        // SageMaker's name for it, and either method.
        Read("/ping", HealthAsync);
        routes.MapPost("/ping", HealthAsync);
        Read("/ready", context =>
        {
            var answer = ReadyResponse.Of(state, health);
            context.Response.StatusCode = answer.Reason is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            return context.Response.WriteAsJsonAsync(answer, ApiJson.Options);
        });
        Read("/version", context => context.Response.WriteAsJsonAsync(new VersionResponse(WorkerVersion.Current), ApiJson.Options));
        Read("/metrics", context =>
        {
            context.Response.ContentType = MetricsRegistry.ContentType;
            return context.Response.WriteAsync(metrics.Render());
        });

        // Load balancers look with HEAD; the server leaves the body out by itself.
        void Read(string pattern, RequestDelegate answer) => routes.MapMethods(pattern, [HttpMethods.Get, HttpMethods.Head], answer);

        Task HealthAsync(HttpContext context)
        {
            if (health.Problem is not { } reason)
            {
                return Task.CompletedTask;
            }

            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            context.Response.ContentType = "text/plain; charset=utf-8";
            return context.Response.WriteAsync(reason);
        }
    }

    private static ModelList Models(ServingState state)
    {
        var model = ServingRequest.RequireModel(state);
        return new ModelList(
            "list",
            [.. model.Names.Select(
                name => new ModelCard(
                    name, "model", state.StartedAt.ToUnixTimeSeconds(), "cluster", model.Path, model.Engine.MaxModelLength))]);
    }
}
