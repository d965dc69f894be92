using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Common;

/// <summary>JSON that others wrote as a tree that is whole: <see cref="JsonNode.Parse(string, JsonNodeOptions?, JsonDocumentOptions)"/>
/// reads lazily, and a repeated name or half a surrogate pair throws at whoever looks first. Used where a configuration, an answer or a
/// part of a request is read without a type.</summary>
internal static class JsonTree
{
    private const int MaxDepth = 128;

    /// <summary>Of a repeated name the last value counts, as in Go, Python and JavaScript.</summary>
    /// <exception cref="JsonException">It is not JSON, nests too deeply, or has a text that is not Unicode.</exception>
    public static JsonNode? Parse(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth });
        try
        {
            return Of(document.RootElement);
        }
        catch (InvalidOperationException error)
        {
            throw new JsonException($"a text is not valid Unicode: {error.Message}", error);
        }
    }

    /// <summary>Of what was parsed already; it lives on without its document.</summary>
    /// <exception cref="InvalidOperationException">A text is not valid Unicode.</exception>
    public static JsonNode? Of(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Null:
                return null;
            case JsonValueKind.Array:
                return new JsonArray([.. element.EnumerateArray().Select(Of)]);
            case JsonValueKind.Object:
                JsonObject result = [];
                foreach (var member in element.EnumerateObject())
                {
                    result[member.Name] = Of(member.Value);
                }

                return result;
            case JsonValueKind.String:
                return JsonValue.Create(element.GetString());
            default:
                return JsonValue.Create(element.Clone());
        }
    }
}
