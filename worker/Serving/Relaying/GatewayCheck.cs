using Cluster.Worker.Serving.Grpc;
using Cluster.Worker.Serving.Http;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace Cluster.Worker.Serving.Relaying;

/// <summary>Tells the gateway's requests from others', over HTTP and gRPC alike, and refuses what only the gateway may send: envelopes and
/// headers of its own. Before authentication, since the gateway has checked its callers' keys. Added by
/// <see cref="WorkerServer"/>.</summary>
internal static class GatewayCheck
{
    /// <summary>How the gateway shows its key.</summary>
    public const string KeyHeader = HeaderPrefix + "gateway-key";

    /// <summary>Whose request it is, for requests without an envelope that says it.</summary>
    public const string CallerHeader = HeaderPrefix + "key-id";

    /// <summary>Which replica answered.</summary>
    public const string ReplicaHeader = HeaderPrefix + "replica";

    /// <summary>What every header between gateway and worker begins with.</summary>
    private const string HeaderPrefix = "x-cluster-";

    /// <summary>What an envelope may have beyond the client's body, which is bounded by itself: a million tokens.</summary>
    private const int MaxEnvelopeBytes = 8 << 20;

    private static readonly object Gateway = new();

    /// <param name="key">Null when there is no gateway.</param>
    /// <param name="replica">This replica's name; null for none.</param>
    public static void UseGatewayCheck(this IApplicationBuilder app, GatewayKey? key, string? replica) => app.Use(next => context =>
    {
        var request = context.Request;
        if (!IsInternal(request))
        {
            return next(context);
        }

        if (key is null || !key.Accept(request.Headers[KeyHeader] is [var only] ? only : null))
        {
            var refusal = key is null
                ? $"this worker has no gateway: it takes no headers that begin with {HeaderPrefix} and no {Envelope.ContentType}"
                : $"headers that begin with {HeaderPrefix} and {Envelope.ContentType} are for the gateway, which shows its key in "
                    + $"{KeyHeader}; the key is missing or wrong";
            return GrpcContentType.Matches(request.ContentType)
                ? GrpcGate.RejectAsync(context, StatusCode.PermissionDenied, refusal)
                : ErrorResponses.WriteAsync(
                    context, new ApiException(StatusCodes.Status403Forbidden, refusal, "invalid_request_error", code: "not_the_gateway"));
        }

        context.Items[Gateway] = true;
        if (request.Headers[CallerHeader] is [{ Length: > 0 } caller])
        {
            Authentication.SetKey(context, caller);
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false, MaxRequestBodySize: { } most } size)
        {
            size.MaxRequestBodySize = most + MaxEnvelopeBytes;
        }

        if (replica is not null)
        {
            context.Response.OnStarting(() =>
            {
                context.Response.Headers[ReplicaHeader] = replica;
                return Task.CompletedTask;
            });
        }

        return next(context);
    });

    /// <summary>Whether the request came from the gateway, so that its caller has been let in there.</summary>
    public static bool IsFromGateway(HttpContext context) => context.Items.ContainsKey(Gateway);

    private static bool IsInternal(HttpRequest request) =>
        Envelope.IsOne(request) || request.Headers.Any(header => header.Key.StartsWith(HeaderPrefix, StringComparison.OrdinalIgnoreCase));
}
