using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Gateway.Http;

/// <summary>Words errors as the API does that a request came by: OpenAI's body, or TGI's on its paths.</summary>
internal static class GatewayErrors
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Middleware that answers every exception below it.</summary>
    public static async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (context is { Response: { HasStarted: false, StatusCode: StatusCodes.Status404NotFound } } && context.GetEndpoint() is null)
            {
                await WriteAsync(
                    context,
                    GatewayException.NotFound($"unknown URL: {context.Request.Method} {context.Request.Path}", "unknown_url"));
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client left; there is nobody to answer.
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            if (exception is not (GatewayException or BadHttpRequestException))
            {
                context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("cluster.gateway")
                    .LogError(exception, "{Method} {Path} failed", context.Request.Method, context.Request.Path);
            }

            await WriteAsync(context, Translate(exception));
        }
    }

    /// <summary>What a client is told; internals never leak.</summary>
    public static GatewayException Translate(Exception exception) => exception switch
    {
        GatewayException told => told,
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } =>
            new GatewayException(
                StatusCodes.Status413PayloadTooLarge, "the request is larger than this gateway takes (--max-request-bytes)",
                "invalid_request_error", code: "request_too_large"),
        BadHttpRequestException bad => new GatewayException(bad.StatusCode, bad.Message, "invalid_request_error"),
        _ => new GatewayException(500, "the gateway had an error while processing the request", "server_error"),
    };

    public static Task WriteAsync(HttpContext context, GatewayException error)
    {
        context.Response.Clear();
        context.Response.StatusCode = error.Status;
        context.Response.ContentType = "application/json";
        if (error.RetryAfter is { } after)
        {
            context.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(after.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        return context.Response.WriteAsync(Body(context.Request.Path, error), context.RequestAborted);
    }

    /// <summary>The JSON of an error, without a line break.</summary>
    public static string Body(PathString path, GatewayException error) => Node(path, error).ToJsonString(Plain);

    private static JsonObject Node(PathString path, GatewayException error) => IsTgi(path)
        ? new JsonObject
        {
            ["error"] = error.Message,
            ["error_type"] = error.Status switch
            {
                StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable => "overloaded",
                >= 500 => "generation",
                _ => "validation",
            },
        }
        : new JsonObject
        {
            ["error"] = new JsonObject
            {
                ["message"] = error.Message,
                ["type"] = error.Type,
                ["param"] = error.Parameter,
                ["code"] = error.Code,
            },
        };

    private static bool IsTgi(PathString path) => path == "/generate" || path == "/generate_stream" || path == "/" || path == "/info";
}
