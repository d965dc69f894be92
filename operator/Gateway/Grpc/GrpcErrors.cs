using System.Globalization;
using System.Text;
using Cluster.Operator.Gateway.Http;

namespace Cluster.Operator.Gateway.Grpc;

/// <summary>Ends calls with a gRPC status.</summary>
internal static class GrpcErrors
{
    public const int Ok = 0;
    public const int Cancelled = 1;
    public const int InvalidArgument = 3;
    public const int DeadlineExceeded = 4;
    public const int NotFound = 5;
    public const int PermissionDenied = 7;
    public const int ResourceExhausted = 8;
    public const int Unimplemented = 12;
    public const int Internal = 13;
    public const int Unavailable = 14;
    public const int Unauthenticated = 16;

    /// <summary>Middleware that answers every exception of the calls below it.</summary>
    public static async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client left; there is nobody to answer.
        }
        catch (Exception exception)
        {
            if (exception is not (GatewayException or BadHttpRequestException))
            {
                context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("cluster.gateway")
                    .LogError(exception, "{Path} failed", context.Request.Path);
            }

            var told = GatewayErrors.Translate(exception);
            End(context, StatusOf(told), told.Message);
        }
    }

    /// <summary>In the headers where nothing was sent yet, otherwise behind the last message.</summary>
    public static void End(HttpContext context, int status, string message)
    {
        var number = status.ToString(CultureInfo.InvariantCulture);
        if (context.Response.HasStarted)
        {
            context.Response.AppendTrailer("grpc-status", number);
            context.Response.AppendTrailer("grpc-message", Escape(message));
            return;
        }

        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] = number;
        context.Response.Headers["grpc-message"] = Escape(message);
    }

    public static int StatusOf(GatewayException error) => error.Status switch
    {
        StatusCodes.Status401Unauthorized => Unauthenticated,
        StatusCodes.Status403Forbidden => PermissionDenied,
        StatusCodes.Status404NotFound => NotFound,
        StatusCodes.Status413PayloadTooLarge or StatusCodes.Status429TooManyRequests => ResourceExhausted,
        StatusCodes.Status501NotImplemented => Unimplemented,
        StatusCodes.Status502BadGateway or StatusCodes.Status503ServiceUnavailable => Unavailable,
        StatusCodes.Status504GatewayTimeout => DeadlineExceeded,
        >= 400 and < 500 => InvalidArgument,
        _ => Internal,
    };

    /// <summary>Percent-encoded as the protocol has it: everything but visible ASCII and '%'.</summary>
    private static string Escape(string message)
    {
        var text = new StringBuilder();
        foreach (var value in Encoding.UTF8.GetBytes(message))
        {
            if (value is >= 0x20 and <= 0x7e and not (byte)'%')
            {
                text.Append((char)value);
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"%{value:X2}");
            }
        }

        return text.ToString();
    }
}
