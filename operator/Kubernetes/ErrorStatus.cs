using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;

namespace Cluster.Operator.Kubernetes;

/// <summary>Makes a <see cref="KubernetesException"/> of what a server said when it refused.</summary>
internal static class ErrorStatus
{
    private const int MaxBodyBytes = 1 << 20;
    private const int MaxQuotedChars = 500;

    /// <summary>From an error response: its Status object where it is one, else the beginning of its text.</summary>
    public static async Task<KubernetesException> FromResponseAsync(
        HttpResponseMessage response, string request, CancellationToken cancellationToken)
    {
        var code = (int)response.StatusCode;
        var body = await ReadBodyAsync(response, cancellationToken);
        try
        {
            if (JsonTree.Parse(Encoding.UTF8.GetBytes(body)) is JsonObject status
                && status["kind"] is JsonValue kind
                && kind.TryGetValue(out string? name)
                && name == "Status")
            {
                return FromStatus(status, code);
            }
        }
        catch (JsonException)
        {
            // Proxies answer in HTML or plain text.
        }

        var quoted = body.Length > MaxQuotedChars ? $"{body[..MaxQuotedChars]}…" : body;
        return new KubernetesException(
            code, ReasonOf(code),
            $"{request}: {code} {response.ReasonPhrase ?? ReasonOf(code)}{(quoted.Length > 0 ? $": {quoted.Trim()}" : "")}");
    }

    /// <summary>From a Status object: an error body, or the object of a watch's ERROR event.</summary>
    /// <param name="fallbackCode">Used where the Status has no code.</param>
    public static KubernetesException FromStatus(JsonObject status, int fallbackCode)
    {
        var code = status["code"] is JsonValue value && value.TryGetValue(out int given) ? given : fallbackCode;
        return new KubernetesException(
            code, Text(status, "reason") ?? ReasonOf(code), Text(status, "message") ?? $"the API server answered {code} without a message");
    }

    private static string? Text(JsonObject from, string field)
        => from[field] is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null;

    private static async Task<string> ReadBodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[16 << 10];
        using MemoryStream body = new();
        while (body.Length < MaxBodyBytes && await stream.ReadAsync(buffer, cancellationToken) is > 0 and int count)
        {
            body.Write(buffer, 0, count);
        }

        return Encoding.UTF8.GetString(body.GetBuffer(), 0, (int)body.Length);
    }

    private static string ReasonOf(int code) => code switch
    {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        406 => "NotAcceptable",
        409 => "Conflict",
        410 => "Gone",
        413 => "RequestEntityTooLarge",
        415 => "UnsupportedMediaType",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "Unknown",
    };
}
