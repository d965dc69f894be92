using Cluster.Worker.Serving.Grpc;
using Cluster.Worker.Serving.Http;
using Cluster.Worker.Serving.Relaying;
using Grpc.Core;

namespace Cluster.Worker.Serving;

/// <summary>Lets in who shows a key, over HTTP and gRPC alike. Before every other layer that could do work for a caller; added by
/// <see cref="WorkerServer"/> when there are keys.</summary>
/// <remarks>No interceptor of the gRPC library: it would run after the request has been read and unpacked, and not at all for an unknown
/// method.</remarks>
internal static class Authentication
{
    private const string Challenge = "Bearer realm=\"cluster\"";
    private const string GrpcHealth = "/grpc.health.v1.Health/";
    private const string Refusal = "no valid API key; send it as 'Authorization: Bearer <key>'";

    private static readonly object Caller = new();

    /// <summary>What probes and scrapers read without a key, as they do of vLLM.</summary>
    private static readonly string[] OpenPaths = ["/health", "/ping", "/ready", "/metrics"];

    public static void UseAuthentication(this IApplicationBuilder app, ApiKeys keys) => app.Use(next => context =>
    {
        if (IsOpen(context.Request.Path.Value ?? "") || GatewayCheck.IsFromGateway(context))
        {
            return next(context);
        }

        if (keys.Identify(Credentials(context.Request)) is { } key)
        {
            context.Items[Caller] = key;
            return next(context);
        }

        if (GrpcContentType.Matches(context.Request.ContentType))
        {
            return GrpcGate.RejectAsync(context, StatusCode.Unauthenticated, Refusal);
        }

        return ErrorResponses.WriteAsync(
            context,
            new ApiException(StatusCodes.Status401Unauthorized, Refusal, "invalid_request_error", code: "invalid_api_key"),
            headers => headers.WWWAuthenticate = Challenge);
    });

    /// <summary>The key that the request came with (<see cref="ApiKeys.Identify"/>); null where none is asked for.</summary>
    public static string? KeyOf(HttpContext? context) => context?.Items[Caller] as string;

    /// <summary>Says whose request it is that the gateway has let in.</summary>
    public static void SetKey(HttpContext context, string key) => context.Items[Caller] = key;

    /// <summary>Two credentials are none: which one counts would be anyone's guess.</summary>
    private static string? Credentials(HttpRequest request) => request.Headers.Authorization is [var only] ? only : null;

    private static bool IsOpen(string path) =>
        OpenPaths.Contains(path, StringComparer.Ordinal) || path.StartsWith(GrpcHealth, StringComparison.Ordinal);
}
