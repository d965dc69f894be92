using System.Runtime.InteropServices;
using System.Text.Json;
using Cluster.Worker.Serving.Http;

namespace Cluster.Worker.Serving.Batches;

/// <summary>A request of a batch as OpenAI writes it: <c>custom_id</c>, <c>method</c>, <c>url</c>, <c>body</c>; or what is wrong with
/// it.</summary>
/// <param name="CustomId">Null where the line has none that can be read.</param>
/// <param name="Path">Of the endpoint.</param>
/// <param name="Body">As it stands in the line.</param>
/// <param name="Error">Null for a request that can be sent.</param>
internal sealed record BatchRequest(string? CustomId, string Path, byte[] Body, BatchError? Error)
{
    /// <summary>Longest name of a request; OpenAI's bound.</summary>
    private const int MaxCustomIdLength = 512;

    /// <param name="maxBytes">What a longer line would have exceeded.</param>
    public static BatchRequest Of(BatchLine line, int maxBytes)
    {
        if (line.Bytes is not { } bytes)
        {
            return Wrong(null, "line_too_long", $"the line has more than {maxBytes} bytes (--max-request-bytes)");
        }

        try
        {
            using var document = JsonDocument.Parse(
                bytes, new JsonDocumentOptions { MaxDepth = ApiJson.MaxDepth, AllowDuplicateProperties = false });
            return Of(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return Wrong(null, "invalid_json_line", $"the line is not valid JSON: {exception.Message}");
        }
    }

    private static BatchRequest Of(JsonElement line)
    {
        if (line.ValueKind != JsonValueKind.Object)
        {
            return Wrong(null, "invalid_json_line", "the line must be an object with custom_id, method, url and body");
        }

        if (Text(line, "custom_id") is not { Length: > 0 and <= MaxCustomIdLength } id)
        {
            return Wrong(null, "invalid_custom_id", $"'custom_id' must be a text of 1 to {MaxCustomIdLength} characters");
        }

        if (line.TryGetProperty("method", out _) && Text(line, "method") != "POST")
        {
            return Wrong(id, "invalid_method", "'method' must be POST");
        }

        if (Text(line, "url") is not { } path || !path.StartsWith('/') || path.AsSpan().ContainsAny('?', '#', '%'))
        {
            return Wrong(id, "invalid_url", "'url' must be the path of an endpoint, such as /v1/chat/completions");
        }

        if (!line.TryGetProperty("body", out var body) || body.ValueKind != JsonValueKind.Object)
        {
            return Wrong(id, "invalid_body", "'body' must be the object that would be posted to 'url'");
        }

        return body.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True
            ? Wrong(id, "invalid_body", "'stream' cannot be true in a batch: answers are written whole")
            : new BatchRequest(id, path, JsonMarshal.GetRawUtf8Value(body).ToArray(), null);
    }

    private static string? Text(JsonElement line, string name) =>
        line.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static BatchRequest Wrong(string? id, string code, string message) => new(id, "", [], new BatchError(code, message));
}

/// <summary>Why a line of a batch has no answer, in OpenAI's form.</summary>
internal sealed record BatchError(string Code, string Message);
