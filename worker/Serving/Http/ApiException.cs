namespace Cluster.Worker.Serving.Http;

/// <summary>An error with OpenAI's fields, thrown anywhere while a request is handled and written by
/// <see cref="ErrorResponses"/>.</summary>
/// <param name="status">HTTP status code.</param>
/// <param name="type">OpenAI's error class: <c>invalid_request_error</c>, <c>not_found_error</c>, <c>server_error</c>, ….</param>
/// <param name="parameter">The offending request field.</param>
internal sealed class ApiException(int status, string message, string type, string? parameter = null, string? code = null)
    : Exception(message)
{
    public int Status { get; } = status;

    public string Type { get; } = type;

    public string? Parameter { get; } = parameter;

    public string? Code { get; } = code;

    public static ApiException BadRequest(string message, string? parameter = null) =>
        new(StatusCodes.Status400BadRequest, message, "invalid_request_error", parameter);

    public static ApiException UnsupportedMediaType(string message) =>
        new(StatusCodes.Status415UnsupportedMediaType, message, "invalid_request_error", code: "unsupported_media_type");

    public static ApiException Unavailable(string message) =>
        new(StatusCodes.Status503ServiceUnavailable, message, "server_error", code: "unavailable");
}
