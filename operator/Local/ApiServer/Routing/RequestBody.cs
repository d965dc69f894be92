using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Protobuf;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>A request's body as a tree. JSON, YAML or Kubernetes protobuf, by its content type.</summary>
/// <param name="Duplicates">Members that occurred twice.</param>
internal sealed record RequestBody(JsonNode? Value, IReadOnlyList<string> Duplicates, string MediaType)
{
    private const string Supported = "application/json, application/yaml";

    /// <exception cref="ApiException">400, 413 or 415.</exception>
    public static async Task<RequestBody> ReadAsync(HttpContext context, long limitBytes)
    {
        var mediaType = (context.Request.ContentType ?? "").Split(';')[0].Trim().ToLowerInvariant();
        using var buffer = new MemoryStream();
        var chunk = new byte[16 * 1024];
        var total = 0L;
        int read;
        while ((read = await context.Request.Body.ReadAsync(chunk, context.RequestAborted)) > 0)
        {
            // The rest is read and dropped: a client still writing would see a broken pipe instead of the answer.
            total += read;
            if (total <= limitBytes)
            {
                buffer.Write(chunk, 0, read);
            }
        }
        if (total > limitBytes)
        {
            throw ApiErrors.TooLarge(limitBytes);
        }
        var bytes = buffer.GetBuffer().AsSpan(0, (int)buffer.Length);
        if (bytes.IsEmpty)
        {
            return new(null, [], mediaType);
        }
        var duplicates = new List<string>();
        switch (mediaType)
        {
            case "application/json" or "application/json-patch+json" or "application/merge-patch+json"
                or "application/strategic-merge-patch+json" or "":
                return new(JsonReading.ParseBody(bytes, duplicates), duplicates, mediaType);
            case "application/yaml" or "application/apply-patch+yaml":
                var isJson = bytes.TrimStart(" \t\r\n"u8) is [(byte)'{', ..];
                return new(
                    isJson ? JsonReading.ParseBody(bytes, duplicates) : ParseYaml(Encoding.UTF8.GetString(bytes), duplicates), duplicates,
                    mediaType);
            case ProtobufText.MediaType:
                return new(ProtobufText.Parse(bytes), [], mediaType);
            default:
                throw ApiErrors.UnsupportedMediaType(Supported);
        }
    }

    /// <summary>The first document; a body holds one object.</summary>
    private static JsonNode? ParseYaml(string text, List<string> duplicates)
    {
        try
        {
            return YamlJson.ParseAll(text, "the request body", duplicates) is [var first, ..] ? first.Root : null;
        }
        catch (YamlSyntaxException error)
        {
            throw ApiErrors.BadRequest($"not valid YAML: {error.Message}");
        }
    }
}
