using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>The document a schema is part of: parses it, follows its references, and reads keywords of the right type or says what is wrong
/// with them.</summary>
internal sealed class JsonSchema
{
    private readonly string _parameter;

    /// <exception cref="InvalidRequestException">The text is not JSON.</exception>
    public JsonSchema(string text, string parameter)
    {
        _parameter = parameter;
        try
        {
            Root = JsonNode.Parse(
                text, null, new JsonDocumentOptions { MaxDepth = ConstraintLimits.MaxNesting, AllowDuplicateProperties = false });
            ReadTexts(Root);
        }
        catch (JsonException exception)
        {
            throw new InvalidRequestException($"{parameter} is not a valid JSON document: {exception.Message}", parameter);
        }
        catch (Exception exception) when (exception is InvalidOperationException or ArgumentException)
        {
            throw Refuse("has a text with half a surrogate pair, which is not Unicode");
        }
    }

    public JsonNode? Root { get; }

    /// <summary>The schema a local reference means: <c>#</c> or <c>#/…</c>, a JSON pointer.</summary>
    public JsonNode? Resolve(string reference)
    {
        if (!reference.StartsWith('#') || (reference.Length > 1 && reference[1] != '/'))
        {
            throw Refuse($"$ref '{Shorten(reference)}' is not supported; only '#' and '#/…' inside the document are");
        }

        var node = Root;
        foreach (var part in reference.Split('/').Skip(1))
        {
            var name = Uri.UnescapeDataString(part).Replace("~1", "/", StringComparison.Ordinal)
                .Replace("~0", "~", StringComparison.Ordinal);
            node = node switch
            {
                JsonObject json when json.TryGetPropertyValue(name, out var child) => child,
                JsonArray array
                    when int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < array.Count =>
                    array[index],
                _ => throw Refuse($"$ref '{Shorten(reference)}' leads nowhere: there is no '{Shorten(name)}'"),
            };
        }

        return node;
    }

    /// <summary>A schema that is an object, with no keyword left that is unknown.</summary>
    public JsonObject Checked(JsonNode? schema)
    {
        if (schema is not JsonObject json)
        {
            throw Refuse($"has {Show(schema)} where a schema should be");
        }

        foreach (var (keyword, value) in json)
        {
            if (!SchemaKeywords.Annotations.Contains(keyword) && !SchemaKeywords.Assertions.Contains(keyword) && !IsNeutral(keyword, value))
            {
                throw Refuse($"keyword '{Shorten(keyword)}' is not supported");
            }
        }

        return json;
    }

    /// <summary>A bound that counts something; null when absent.</summary>
    public int? Count(JsonObject schema, string keyword, int most)
    {
        if (Decimal(schema, keyword) is not { } value)
        {
            return null;
        }

        return value >= 0 && value <= most && decimal.IsInteger(value)
            ? (int)value
            : throw Refuse($"keyword '{keyword}' is {Show(schema[keyword])}; 0 to {most} are supported");
    }

    public decimal? Decimal(JsonObject schema, string keyword)
    {
        if (!schema.TryGetPropertyValue(keyword, out var value))
        {
            return null;
        }

        return value is JsonValue && value.GetValueKind() == JsonValueKind.Number
            && decimal.TryParse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && Math.Abs(number) <= 1_000_000_000_000_000_000
            ? number
            : throw Refuse($"keyword '{keyword}' is {Show(value)}; a number between -10^18 and 10^18 is supported");
    }

    public string? Text(JsonObject schema, string keyword) =>
        !schema.TryGetPropertyValue(keyword, out var value)
            ? null
            : TextOf(value) ?? throw Refuse($"keyword '{keyword}' is {Show(value)}, not a string");

    public JsonArray? Array(JsonObject schema, string keyword, int most)
    {
        if (!schema.TryGetPropertyValue(keyword, out var value))
        {
            return null;
        }

        return value is not JsonArray array ? throw Refuse($"keyword '{keyword}' is {Show(value)}, not an array")
            : array.Count > most ? throw Refuse($"keyword '{keyword}' has {array.Count} entries; at most {most} are supported")
            : array;
    }

    public IReadOnlyList<string> Texts(JsonObject schema, string keyword, int most) =>
        [.. (Array(schema, keyword, most) ?? [])
            .Select(item => TextOf(item) ?? throw Refuse($"keyword '{keyword}' holds {Show(item)}, not a string"))];

    /// <summary>The types a schema allows by <c>type</c>, or by keywords that are about one type; empty when it names none.</summary>
    public HashSet<string> Types(JsonObject schema)
    {
        var types = new HashSet<string>();
        if (schema.TryGetPropertyValue("type", out var type))
        {
            types = [.. TextOf(type) is { } one ? [one] : Texts(schema, "type", SchemaKeywords.Types.Length)];
            if (types.Count == 0 || types.Except(SchemaKeywords.Types).Any())
            {
                throw Refuse($"keyword 'type' is {Show(type)}; known types are {string.Join(", ", SchemaKeywords.Types)}");
            }
        }
        else
        {
            foreach (var (keyword, _) in schema)
            {
                if (SchemaKeywords.TypeOf.TryGetValue(keyword, out var named))
                {
                    types.Add(named);
                }
            }
        }

        if (types.Count > 0 && IsTrue(schema, "nullable"))
        {
            types.Add("null");
        }

        return types;
    }

    public static bool IsTrue(JsonObject schema, string keyword) => schema[keyword]?.GetValueKind() == JsonValueKind.True;

    public static bool IsFalse(JsonNode? node) => node?.GetValueKind() == JsonValueKind.False;

    public static bool HasAssertions(JsonObject schema) => schema.Any(pair => !SchemaKeywords.Annotations.Contains(pair.Key));

    public static string? TextOf(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    public InvalidRequestException Refuse(string problem) => new($"{_parameter}: {problem}", _parameter);

    public static string Show(JsonNode? node) => Shorten(node?.ToJsonString() ?? "null");

    /// <summary>Reads every name and text once: the parser leaves escapes alone until then.</summary>
    /// <exception cref="InvalidOperationException">An escape is half a surrogate pair.</exception>
    private static void ReadTexts(JsonNode? node)
    {
        TextOf(node);
        foreach (var child in node switch { JsonObject json => json.Select(pair => pair.Value), JsonArray array => array, _ => [] })
        {
            ReadTexts(child);
        }
    }

    private static string Shorten(string text) => text.Length > 60 ? text[..60] + "…" : text;

    /// <summary>Keywords whose value changes nothing.</summary>
    private static bool IsNeutral(string keyword, JsonNode? value) => keyword switch
    {
        "uniqueItems" => IsFalse(value),
        "minProperties" => value?.ToJsonString() == "0",
        _ => false,
    };
}
