using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>Runs one HTTP/2 request as a gRPC call: checks the protocol's headers, keeps the deadline, turns the outcome into a status.</summary>
/// <remarks>Called by <see cref="GrpcRouter"/>; calls the method's handler. Specification: gRPC <c>doc/PROTOCOL-HTTP2.md</c>.</remarks>
/// <param name="translate">The status for an exception of the layers below; null for an unexpected one.</param>
internal sealed partial class GrpcDispatcher(
    GrpcOptions options,
    TimeProvider time,
    Func<Exception, GrpcException?> translate,
    ILogger<GrpcDispatcher> logger)
{
    /// <summary>Longest delay a timer takes (49 days). A deadline beyond it is none.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    /// <summary>Serves a call of a known method.</summary>
    public async Task DispatchAsync(HttpContext context, GrpcMethod method)
    {
        if (!BeginResponse(context))
        {
            return;
        }

        LiftBodyLimits(context, method.Descriptor.IsClientStreaming);
        CancellationTokenSource? deadline = null;
        try
        {
            RequireTrailers(context.Request);
            deadline = StartDeadline(context.Request, method);
            using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, deadline?.Token ?? CancellationToken.None);
            cancellation.Token.ThrowIfCancellationRequested();
            await method.InvokeAsync(new ServerCall(context, options, cancellation.Token));
            End(context.Response, StatusCode.Ok, "");
        }
        catch (Exception exception)
        {
            // A client that is gone gets no status, and whatever reading or writing threw then is its doing.
            if (!context.RequestAborted.IsCancellationRequested)
            {
                var failure = ToStatus(exception, method, deadline is { IsCancellationRequested: true });
                End(context.Response, failure.Status, failure.Message);
            }
        }
        finally
        {
            deadline?.Dispose();
        }
    }

    /// <summary>Answers a gRPC call to a path nothing is mapped to.</summary>
    public static Task RejectUnknownAsync(HttpContext context) =>
        RejectAsync(context, StatusCode.Unimplemented, $"unknown method '{context.Request.Path}'");

    /// <summary>Ends a gRPC call with this status before any handler sees it.</summary>
    public static Task RejectAsync(HttpContext context, StatusCode status, string message)
    {
        if (BeginResponse(context))
        {
            End(context.Response, status, message);
        }

        return Task.CompletedTask;
    }

    /// <summary>False when the request is not gRPC at all and has got its HTTP error.</summary>
    private static bool BeginResponse(HttpContext context)
    {
        var response = context.Response;
        if (!GrpcContentType.Matches(context.Request.ContentType))
        {
            response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return false;
        }

        if (!HttpProtocol.IsHttp2(context.Request.Protocol))
        {
            response.StatusCode = StatusCodes.Status426UpgradeRequired;
            response.Headers.Upgrade = "h2c";
            return false;
        }

        response.ContentType = GrpcContentType.Value;
        response.Headers["grpc-accept-encoding"] = MessageEncoding.Accepted;
        return true;
    }

    /// <summary>The message size limit bounds what is buffered, and a stream of requests may rightly be long and slow.</summary>
    private static void LiftBodyLimits(HttpContext context, bool clientStreams)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        if (clientStreams && context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
    }

    /// <summary>A proxy that drops this header would drop the status as well.</summary>
    private static void RequireTrailers(HttpRequest request)
    {
        if (!request.Headers.TE.Any(value => MessageEncoding.Lists(value, "trailers")))
        {
            throw new GrpcException(StatusCode.Internal, "request has no 'te: trailers' header; something between client and server does not speak gRPC");
        }
    }

    private CancellationTokenSource? StartDeadline(HttpRequest request, GrpcMethod method)
    {
        var header = request.Headers["grpc-timeout"].ToString();
        var limit = method.Descriptor.Service.FullName.StartsWith("grpc.", StringComparison.Ordinal) ? null : options.RequestTimeout;
        var timeout = limit ?? TimeSpan.MaxValue;
        if (header.Length > 0 && !GrpcTimeout.TryParse(header, out timeout))
        {
            throw new GrpcException(StatusCode.Internal, $"grpc-timeout '{header}' is not 1 to 8 digits and a unit of H, M, S, m, u, n");
        }

        timeout = timeout > limit ? limit.Value : timeout;
        return timeout > LongestTimer ? null : new CancellationTokenSource(timeout, time);
    }

    private GrpcException ToStatus(Exception exception, GrpcMethod method, bool deadlinePassed)
    {
        if (exception is GrpcException status)
        {
            return status;
        }

        if (translate(exception) is { } expected)
        {
            return expected;
        }

        switch (exception)
        {
            case OperationCanceledException when deadlinePassed:
                return new GrpcException(StatusCode.DeadlineExceeded, "the call's deadline passed");

            case OperationCanceledException:
                return new GrpcException(StatusCode.Unavailable, "the server ended the call; it is shutting down");

            // Reading can fail before the request counts as aborted. Nobody hears this status.
            case ConnectionResetException:
                return new GrpcException(StatusCode.Cancelled, "the client has gone");

            case BadHttpRequestException:
                return new GrpcException(StatusCode.Internal, exception.Message);

            default:
                LogUnexpected(method.Path, exception);
                return new GrpcException(StatusCode.Internal, "internal error; the worker's log has the details");
        }
    }

    /// <summary>Status as trailers, or as headers of an otherwise empty response (Trailers-Only) when an error comes before any message.</summary>
    private static void End(HttpResponse response, StatusCode status, string message)
    {
        var trailersOnly = status != StatusCode.Ok && !response.HasStarted;
        Append("grpc-status", ((int)status).ToString(null, null));
        if (message.Length > 0)
        {
            Append("grpc-message", PercentEncoding.Encode(message));
        }

        void Append(string name, string value)
        {
            if (trailersOnly)
            {
                response.Headers[name] = value;
            }
            else
            {
                response.AppendTrailer(name, value);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "gRPC call {Path} failed unexpectedly")]
    private partial void LogUnexpected(string path, Exception exception);
}
