using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>What the tools of a request say of their parameters' types, for formats that write all of them as text.</summary>
/// <param name="tools">OpenAI's definitions; null when there are none.</param>
internal sealed class ToolSchemas(JsonArray? tools)
{
    /// <summary>Schemas may refer to themselves.</summary>
    private const int MaxDepth = 8;

    private readonly Dictionary<string, JsonObject> _parameters = (tools ?? [])
        .Select(tool => tool?["function"] as JsonObject)
        .Where(function => function?["parameters"] is JsonObject)
        .GroupBy(function => (string)function!["name"]!, StringComparer.Ordinal)
        .ToDictionary(named => named.Key, named => (JsonObject)named.First()!["parameters"]!, StringComparer.Ordinal);

    /// <summary>A parameter's text as the JSON that its schema means. What is not of its type stays text, for the caller to
    /// see.</summary>
    /// <param name="guesses">Whether a text that is a literal counts as one where no schema says anything.</param>
    public string ToJson(string function, string parameter, string text, bool guesses)
    {
        HashSet<string> types = new(StringComparer.Ordinal);
        if (_parameters.TryGetValue(function, out var root) && root["properties"] is JsonObject properties)
        {
            Collect(properties[parameter], root, types, 0);
        }

        var trimmed = text.Trim();
        if (trimmed.Equals("null", StringComparison.OrdinalIgnoreCase))
        {
            return "null";
        }

        if (types.Count == 0)
        {
            return (guesses ? Literal(trimmed) : null) ?? JsonLiteral.Quote(text);
        }

        return (types.Contains("integer") ? Integer(trimmed) : null)
            ?? (types.Contains("number") ? Number(trimmed) : null)
            ?? (types.Contains("boolean") ? Boolean(trimmed) : null)
            ?? (types.Contains("object") || types.Contains("array") ? Structure(trimmed, types) : null)
            ?? JsonLiteral.Quote(text);
    }

    private static void Collect(JsonNode? schema, JsonObject root, HashSet<string> types, int depth)
    {
        if (schema is not JsonObject members || depth > MaxDepth)
        {
            return;
        }

        switch (members["type"])
        {
            case JsonValue value when value.TryGetValue<string>(out var name):
                types.Add(name);
                break;
            case JsonArray names:
                types.UnionWith(names.OfType<JsonValue>().Where(name => name.GetValueKind() == JsonValueKind.String).Select(Text));
                break;
            case null when members["properties"] is not null:
                types.Add("object");
                break;
            case null when members["items"] is not null:
                types.Add("array");
                break;
            case null:
                types.UnionWith((members["enum"] as JsonArray ?? [members["const"]?.DeepClone()]).Select(TypeOf).OfType<string>());
                break;
        }

        if (members["$ref"] is JsonValue reference && reference.TryGetValue<string>(out var path))
        {
            Collect(Target(root, path), root, types, depth + 1);
        }

        foreach (var alternative in new[] { "anyOf", "oneOf", "allOf" }.SelectMany(name => members[name] as JsonArray ?? []))
        {
            Collect(alternative, root, types, depth + 1);
        }
    }

    private static string Text(JsonValue value) => value.GetValue<string>();

    private static JsonNode? Target(JsonObject root, string path)
    {
        JsonNode? node = path.StartsWith('#') ? root : null;
        foreach (var part in path.Split('/').Skip(1))
        {
            node = (node as JsonObject)?[part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)];
        }

        return node;
    }

    private static string? TypeOf(JsonNode? value) => value?.GetValueKind() switch
    {
        JsonValueKind.String => "string",
        JsonValueKind.Number => "number",
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        _ => null,
    };

    private static string? Integer(string text) =>
        BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number.ToString(CultureInfo.InvariantCulture)
            : null;

    private static string? Number(string text) =>
        JsonLiteral.IsValid(text, JsonValueKind.Number) ? text
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? number.ToString("R", CultureInfo.InvariantCulture)
            : null;

    private static string? Boolean(string text) => text.ToLowerInvariant() is "true" or "false" ? text.ToLowerInvariant() : null;

    private static string? Structure(string text, HashSet<string> types)
    {
        var literal = Literal(text);
        return literal is { Length: > 0 } && (literal[0] == '{' && types.Contains("object") || literal[0] == '[' && types.Contains("array"))
            ? literal
            : null;
    }

    private static string? Literal(string text) => JsonLiteral.IsValid(text) ? text : PythonLiteral.ToJson(text);
}
