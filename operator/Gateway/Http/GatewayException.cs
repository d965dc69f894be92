namespace Cluster.Operator.Gateway.Http;

/// <summary>An error that a client is told: OpenAI's fields, thrown anywhere while a request is handled and written by
/// <see cref="GatewayErrors"/>, or by the gRPC side as a status.</summary>
/// <param name="status">HTTP status code.</param>
/// <param name="type">OpenAI's error class.</param>
/// <param name="parameter">The offending field.</param>
internal sealed class GatewayException(int status, string message, string type, string? parameter = null, string? code = null)
    : Exception(message)
{
    public int Status { get; } = status;

    public string Type { get; } = type;

    public string? Parameter { get; } = parameter;

    public string? Code { get; } = code;

    /// <summary>After which time it is worth to ask again; null for never with the same request.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public static GatewayException BadRequest(string message, string? parameter = null, string? code = null) =>
        new(StatusCodes.Status400BadRequest, message, "invalid_request_error", parameter, code);

    public static GatewayException Forbidden(string message, string? code = null) =>
        new(StatusCodes.Status403Forbidden, message, "invalid_request_error", code: code);

    public static GatewayException NotFound(string message, string code, string? parameter = null) =>
        new(StatusCodes.Status404NotFound, message, "invalid_request_error", parameter, code);

    public static GatewayException TooMany(string message, string code, TimeSpan retryAfter) =>
        new(StatusCodes.Status429TooManyRequests, message, "rate_limit_error", code: code) { RetryAfter = retryAfter };

    public static GatewayException Unavailable(string message, TimeSpan? retryAfter = null) =>
        new(StatusCodes.Status503ServiceUnavailable, message, "server_error", code: "unavailable")
        {
            RetryAfter = retryAfter ?? TimeSpan.FromSeconds(1)
        };
}
