using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Local.ApiServer;

/// <summary>JSON texts as trees whose numbers are all <see cref="long"/> or <see cref="double"/> and whose duplicate members are known (the
/// last wins, as in Go's decoder).</summary>
/// <remarks><see cref="JsonNode.Parse(string, JsonNodeOptions?, JsonDocumentOptions)"/> parses lazily and throws on duplicates at first
/// access; stored trees are read by many threads, so they are built eagerly here.</remarks>
internal static class JsonReading
{
    /// <summary>How deep a request body may nest.</summary>
    public const int MaxBodyDepth = 100;

    // Patches and managedFields make stored trees deeper than any one body.
    private const int MaxStoredDepth = 500;

    /// <param name="duplicates">Receives <c>spec.a</c> for each member that occurs twice; null to ignore them.</param>
    /// <exception cref="ApiException">400 when the text is not JSON or nests deeper than <see cref="MaxBodyDepth"/>.</exception>
    public static JsonNode? ParseBody(ReadOnlySpan<byte> utf8, List<string> duplicates) => Parse(utf8, MaxBodyDepth, duplicates);

    /// <summary>Text the server wrote itself.</summary>
    public static JsonNode? Parse(ReadOnlySpan<byte> utf8) => Parse(utf8, MaxStoredDepth, null);

    private static JsonNode? Parse(ReadOnlySpan<byte> utf8, int maxDepth, List<string>? duplicates)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = maxDepth });
        try
        {
            reader.Read();
            var value = ReadValue(ref reader, "", duplicates);
            if (reader.Read())
            {
                throw ApiErrors.BadRequest("the request body holds more than one JSON value");
            }
            return value;
        }
        catch (JsonException error)
        {
            throw ApiErrors.BadRequest($"the request body is not valid JSON: {error.Message}");
        }
        catch (InvalidOperationException error)
        {
            throw ApiErrors.BadRequest($"the request body is not valid JSON text: {error.Message}");
        }
    }

    private static JsonNode? ReadValue(ref Utf8JsonReader reader, string path, List<string>? duplicates)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var map = new JsonObject();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    var name = reader.GetString()!;
                    var childPath = duplicates is null ? "" : path.Length == 0 ? name : $"{path}.{name}";
                    reader.Read();
                    var value = ReadValue(ref reader, childPath, duplicates);
                    if (map.ContainsKey(name))
                    {
                        duplicates?.Add(childPath);
                    }
                    map[name] = value;
                }
                return map;
            case JsonTokenType.StartArray:
                var list = new JsonArray();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    list.Add(ReadValue(ref reader, duplicates is null ? "" : $"{path}[{list.Count}]", duplicates));
                }
                return list;
            case JsonTokenType.String:
                return JsonValue.Create(reader.GetString());
            case JsonTokenType.Number:
                return reader.TryGetInt64(out var integer) ? JsonValue.Create(integer)
                    : reader.TryGetDouble(out var number) && double.IsFinite(number) ? JsonValue.Create(number)
                    : throw ApiErrors.BadRequest("the request body has a number out of range");
            case JsonTokenType.True:
                return JsonValue.Create(true);
            case JsonTokenType.False:
                return JsonValue.Create(false);
            default:
                return null;
        }
    }
}
