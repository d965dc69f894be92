using System.Diagnostics;
using System.Globalization;
using Cluster.Worker.Serving.Grpc;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace Cluster.Worker.Serving.Telemetry;

/// <summary>The server span of a request, HTTP or gRPC, by OpenTelemetry's semantic conventions. A middleware; added by
/// <see cref="WorkerTelemetry"/>.</summary>
internal static class RequestTracing
{
    /// <summary>gRPC's own services: health and reflection.</summary>
    private const string GrpcOwn = "/grpc.";

    public static async Task RunAsync(HttpContext context, RequestDelegate next, ActivitySource source)
    {
        var request = context.Request;

        // Whatever works is posted. Probes and scrapes would drown it.
        if (!HttpMethods.IsPost(request.Method) || request.Path.Value!.StartsWith(GrpcOwn, StringComparison.Ordinal))
        {
            await next(context);
            return;
        }

        // Without a caller's context the span is a root, whatever activity the host may have for itself.
        Activity.Current = null;
        using var span = source.StartActivity(request.Method, ActivityKind.Server, CallerOf(request));
        var isGrpc = GrpcContentType.Matches(request.ContentType);
        try
        {
            await next(context);
        }
        catch (Exception exception) when (Fail(span, exception.GetType().FullName!))
        {
            throw;
        }
        finally
        {
            if (span is { IsAllDataRequested: true })
            {
                if (isGrpc)
                {
                    DescribeGrpc(span, context);
                }
                else
                {
                    DescribeHttp(span, context);
                }
            }
        }
    }

    /// <summary>The W3C trace context that the caller sent; none when there is not exactly one, or it is malformed.</summary>
    private static ActivityContext CallerOf(HttpRequest request) =>
        request.Headers.TraceParent is [{ } parent]
            && ActivityContext.TryParse(parent, request.Headers.TraceState, isRemote: true, out var caller) ? caller : default;

    private static void DescribeHttp(Activity span, HttpContext context)
    {
        var status = context.Response.StatusCode;
        if (context.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } route })
        {
            span.DisplayName = $"{context.Request.Method} {route}";
            span.SetTag("http.route", route);
        }

        span.SetTag("http.request.method", context.Request.Method);
        span.SetTag("url.scheme", context.Request.Scheme);
        span.SetTag("url.path", context.Request.Path.Value);
        span.SetTag("http.response.status_code", status);
        if (context.RequestAborted.IsCancellationRequested)
        {
            Fail(span, "client_disconnected");
        }
        else if (status >= StatusCodes.Status500InternalServerError)
        {
            Fail(span, status.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void DescribeGrpc(Activity span, HttpContext context)
    {
        var path = context.Request.Path.Value!;
        var slash = path.LastIndexOf('/');
        span.DisplayName = path[1..];
        span.SetTag("rpc.system", "grpc");
        span.SetTag("rpc.service", slash > 0 ? path[1..slash] : "");
        span.SetTag("rpc.method", path[(slash + 1)..]);
        var trailers = context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
        var sent = trailers is not null && trailers.TryGetValue("grpc-status", out var trailer)
            ? trailer
            : context.Response.Headers["grpc-status"];
        var status = int.TryParse(sent, CultureInfo.InvariantCulture, out var code) ? (StatusCode)code : StatusCode.Cancelled;
        span.SetTag("rpc.grpc.status_code", (int)status);
        if (status is not (StatusCode.OK or StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.Unauthenticated
            or StatusCode.ResourceExhausted))
        {
            Fail(span, status.ToString());
        }
    }

    /// <summary>Always false: to be an exception filter.</summary>
    private static bool Fail(Activity? span, string reason)
    {
        span?.SetTag("error.type", reason);
        span?.SetStatus(ActivityStatusCode.Error);
        return false;
    }
}
