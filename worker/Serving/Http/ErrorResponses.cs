using System.Text.Json;
using System.Text.Json.Serialization;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Limits;
using Cluster.Worker.Tokenization;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Cluster.Worker.Serving.Http;

/// <summary>The body of every error answer.</summary>
internal sealed record ErrorBody(ErrorDetail Error);

internal sealed record ErrorDetail(
    string Message,
    string Type,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Param,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Code);

/// <summary>Turns exceptions into OpenAI's error bodies: the outermost layer of the HTTP API.</summary>
internal static class ErrorResponses
{
    /// <summary>Middleware that answers every exception of the API below it.</summary>
    public static async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            await AnswerEmptyErrorAsync(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client left; there is nobody to answer.
            Leave(context);
        }
        catch (Exception exception) when (exception is ConnectionResetException or ConnectionAbortedException)
        {
            // It left in the middle of its request, which can be seen before the request counts as aborted.
            Leave(context);
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            var error = Translate(exception);
            if (error.Status == StatusCodes.Status500InternalServerError)
            {
                context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("cluster.http")
                    .LogError(exception, "{Method} {Path} failed", context.Request.Method, context.Request.Path);
            }

            await WriteAsync(context, error);
        }
    }

    /// <summary>Keeps the server from reading the rest of a request whose connection is gone, which it would complain of. Over HTTP/2 only
    /// the stream is.</summary>
    private static void Leave(HttpContext context)
    {
        if (!HttpProtocol.IsHttp2(context.Request.Protocol))
        {
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }
    }

    /// <summary>The error a client is told for an exception; internals never leak into a 500.</summary>
    public static ApiException Translate(Exception exception) => exception switch
    {
        ApiException api => api,
        InvalidRequestException invalid => ApiException.BadRequest(invalid.Message, invalid.Parameter),
        PromptTooLongException tooLong => new ApiException(
            StatusCodes.Status400BadRequest, tooLong.Message, "invalid_request_error", tooLong.Parameter, "context_length_exceeded"),
        OutOfMemoryException => ApiException.Unavailable(
            "there is not enough memory for this request now; send it again, or a smaller one"),
        ChatTemplateException template => ApiException.BadRequest(template.Message, "messages"),
        TokenizationException text => ApiException.BadRequest(text.Message),
        GenerationFailedException { IsRequestsFault: true } refused => ApiException.BadRequest(refused.Message),
        GenerationFailedException failed => new ApiException(StatusCodes.Status500InternalServerError, failed.Message, "server_error"),
        QueueFullException full =>
            new ApiException(StatusCodes.Status429TooManyRequests, full.Message, "rate_limit_error", code: "queue_full"),
        BodyBudgetException busy =>
            new ApiException(StatusCodes.Status429TooManyRequests, busy.Message, "rate_limit_error", code: "too_many_request_bytes"),
        EngineUnavailableException unavailable => ApiException.Unavailable(unavailable.Message),
        JsonException json => ApiException.BadRequest($"the request body is not valid JSON: {json.Message}"),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } large =>
            new ApiException(
                large.StatusCode, $"the request is larger than this server takes (--max-request-bytes): {large.Message}",
                "invalid_request_error", code: "request_too_large"),

        // Kestrel's word for a chunk that says it is longer than any number.
        IOException { InnerException: OverflowException } chunk =>
            ApiException.BadRequest($"the request body cannot be read: {chunk.Message}"),
        BadHttpRequestException bad => new ApiException(bad.StatusCode, bad.Message, "invalid_request_error"),
        _ => new ApiException(
            StatusCodes.Status500InternalServerError, "the server had an error while processing the request", "server_error"),
    };

    private static ErrorBody Body(ApiException error) =>
        new(new ErrorDetail(error.Message, error.Type, error.Parameter, error.Code));

    /// <summary>Status and body in the words of the API the request came by.</summary>
    public static (int Status, object Body) Spell(HttpContext context, ApiException error) =>
        context.Features.Get<ErrorDialect>()?.Spell(error) ?? (error.Status, Body(error));

    /// <summary>Answers with this error in place of whatever was prepared.</summary>
    /// <param name="shape">Adds the headers that belong to the error.</param>
    public static async Task WriteAsync(HttpContext context, ApiException error, Action<IHeaderDictionary>? shape = null)
    {
        context.Response.Clear();
        shape?.Invoke(context.Response.Headers);
        var (status, body) = Spell(context, error);
        context.Response.StatusCode = status;
        if (error.Status is StatusCodes.Status503ServiceUnavailable or StatusCodes.Status429TooManyRequests)
        {
            context.Response.Headers.RetryAfter = "1";
        }

        await context.Response.WriteAsJsonAsync(body, ApiJson.Options);
    }

    /// <summary>Routing answers an unknown path or a wrong method with an empty body; clients expect JSON there too.</summary>
    private static async Task AnswerEmptyErrorAsync(HttpContext context)
    {
        if (context.Response.HasStarted || context.GetEndpoint() is { } endpoint && endpoint.DisplayName != "405 HTTP Method Not Supported")
        {
            return;
        }

        var path = $"{context.Request.Method} {context.Request.Path}";
        switch (context.Response.StatusCode)
        {
            case StatusCodes.Status404NotFound:
                await WriteAsync(context, new ApiException(404, $"unknown URL: {path}", "invalid_request_error", code: "unknown_url"));
                break;
            case StatusCodes.Status405MethodNotAllowed:
                var allow = context.Response.Headers.Allow;
                await WriteAsync(
                    context,
                    new ApiException(
                        405, $"method not allowed: {path}; allowed: {allow}", "invalid_request_error", code: "method_not_allowed"),
                        headers => headers.Allow = allow);
                break;
        }
    }
}
