using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>Takes every gRPC request and hands it to the library, once what the library leaves unchecked is checked and the deadline runs;
/// passes every other request on.</summary>
/// <remarks>A middleware of its own before the library's routes: gRPC's paths are case-sensitive, routes are not, and none of the HTTP
/// API's middleware may see a call. Used by <see cref="GrpcServing"/>. Specification: gRPC <c>doc/PROTOCOL-HTTP2.md</c>.</remarks>
internal sealed class GrpcGate(IEnumerable<Endpoint> endpoints, GrpcOptions options, TimeProvider time, ILogger<GrpcGate> logger)
{
    private const string AcceptEncoding = "grpc-accept-encoding";

    /// <summary>How the library refuses a message over the limit.</summary>
    private const string TooLarge = "Received message exceeds the maximum configured message size.";

    private readonly Dictionary<string, (GrpcMethodMetadata Method, RequestDelegate Handler)> _methods = endpoints
        .Select(endpoint => (Method: endpoint.Metadata.GetMetadata<GrpcMethodMetadata>()!, Handler: endpoint.RequestDelegate!))
        .Where(endpoint => endpoint.Method is not null)
        .ToDictionary(endpoint => endpoint.Method.Method.FullName, StringComparer.Ordinal);

    /// <param name="next">Gets what is neither a known path nor a gRPC request.</param>
    public Task RunAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        if (!_methods.TryGetValue(request.Path.Value ?? "", out var method))
        {
            return GrpcContentType.Matches(request.ContentType)
                ? RejectAsync(context, StatusCode.Unimplemented, $"unknown method '{request.Path}'")
                : next(context);
        }

        if (!HttpMethods.IsPost(request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = HttpMethods.Post;
            return Task.CompletedTask;
        }

        if (!GrpcContentType.Matches(request.ContentType))
        {
            context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return Task.CompletedTask;
        }

        return CallAsync(context, method.Method.Method, method.Handler);
    }

    /// <summary>Ends a gRPC call with this status before anything of it is read.</summary>
    public static Task RejectAsync(HttpContext context, StatusCode status, string message)
    {
        if (BeginResponse(context))
        {
            context.Response.ContentType = GrpcContentType.Value;
            Write(context.Response, new Status(status, message));
        }

        return Task.CompletedTask;
    }

    /// <summary>False when the request came over HTTP/1 and has got its HTTP error.</summary>
    private static bool BeginResponse(HttpContext context)
    {
        if (!HttpProtocol.IsHttp2(context.Request.Protocol))
        {
            context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            context.Response.Headers.Upgrade = "h2c";
            return false;
        }

        context.Response.Headers[AcceptEncoding] = $"identity,{LimitedGzip.Name}";
        return true;
    }

    private async Task CallAsync(HttpContext context, IMethod method, RequestDelegate handler)
    {
        if (WhyMalformed(context.Request, out var timeout) is { } refusal)
        {
            await RejectAsync(context, refusal.StatusCode, refusal.Detail);
            return;
        }

        if (!BeginResponse(context))
        {
            return;
        }

        // The message size limit bounds what is buffered. The body is a prefix longer than its message.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        // A client that packs its own messages is taken to want packed answers; one that only could read them is not worth the cycles.
        if (context.Request.Headers[LimitedGzip.Header] != LimitedGzip.Name)
        {
            context.Request.Headers.Remove(AcceptEncoding);
        }

        var limit = method.ServiceName.StartsWith("grpc.", StringComparison.Ordinal) ? null : options.RequestTimeout;
        using var deadline = new CallDeadline(context, timeout is null || timeout > limit ? limit : timeout, time);
        if (deadline.HasPassed)
        {
            await RejectAsync(context, CallFailures.DeadlinePassed.StatusCode, CallFailures.DeadlinePassed.Detail);
            return;
        }

        context.Features.Set(deadline);
        await handler(context);
        CorrectStatus(context, deadline);
    }

    /// <summary>What is wrong with the call's headers; null for nothing. Takes the timeout out of them, so that the library starts no
    /// deadline.</summary>
    private static Status? WhyMalformed(HttpRequest request, out TimeSpan? timeout)
    {
        timeout = null;

        // A proxy that drops this header would drop the status as well.
        if (HttpProtocol.IsHttp2(request.Protocol) && !request.Headers.TE.Any(value => Lists(value, "trailers")))
        {
            return new Status(
                StatusCode.Internal, "request has no 'te: trailers' header; something between client and server does not speak gRPC");
        }

        var encoding = request.Headers[LimitedGzip.Header].ToString();
        if (encoding is not ("" or "identity" or LimitedGzip.Name))
        {
            return new Status(
                StatusCode.Unimplemented, $"grpc-encoding '{encoding}' is not supported; supported: identity,{LimitedGzip.Name}");
        }

        if (request.Headers.Remove("grpc-timeout", out var header) && header.ToString() is { Length: > 0 } text)
        {
            if (!GrpcTimeout.TryParse(text, out var asked))
            {
                return new Status(StatusCode.Internal, $"grpc-timeout '{text}' is not 1 to 8 digits and a unit of H, M, S, m, u, n");
            }

            timeout = asked;
        }

        return null;
    }

    /// <summary>Whether a comma-separated header value names an item.</summary>
    private static bool Lists(StringSegment value, string item) =>
        new StringTokenizer(value, [',']).Any(part => part.Trim().Equals(item, StringComparison.OrdinalIgnoreCase));

    /// <summary>Names what went wrong outside of a handler, where no interceptor sees it: in reading the request and in writing the
    /// response. The library calls most of it UNKNOWN.</summary>
    private void CorrectStatus(HttpContext context, CallDeadline deadline)
    {
        if (deadline.IsClientGone || context.Features.Get<IServerCallContextFeature>()?.ServerCallContext.Status is not { } status)
        {
            return;
        }

        if (status is { StatusCode: StatusCode.ResourceExhausted, Detail: TooLarge })
        {
            var reason = $"request message is larger than {options.MaxReceiveMessageBytes} bytes, the limit";
            Write(context.Response, new Status(status.StatusCode, reason));
        }
        else if (deadline.HasPassed && status.StatusCode != StatusCode.OK)
        {
            Write(context.Response, CallFailures.DeadlinePassed);
        }
        else if (status.DebugException is { } exception)
        {
            Write(context.Response, CallFailures.StatusOf(exception, context.Request.Path, logger));
        }
    }

    /// <summary>As trailers, or as headers of an otherwise empty response (Trailers-Only).</summary>
    private static void Write(HttpResponse response, Status status)
    {
        var destination = response.HasStarted
            ? response.HttpContext.Features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers
            : response.Headers;
        destination["grpc-status"] = ((int)status.StatusCode).ToString(null, null);

        // Only a path or a header can bring a character that must be escaped. Escaping more than must be is read all the same.
        destination["grpc-message"] = status.Detail.Contains('%') || status.Detail.AsSpan().ContainsAnyExceptInRange(' ', '~')
            ? Uri.EscapeDataString(status.Detail)
            : status.Detail;
    }
}
