using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>The document a schema is part of: parses it, follows its references, and reads keywords of the right type or says what is wrong
/// with them.</summary>
internal sealed class JsonSchema
{
    private readonly string _parameter;
    private readonly ConditionalWeakTable<JsonNode, string> _places = [];

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

    /// <summary>A schema that is an object, with no keyword that would have to be kept and cannot be. Unknown keywords say nothing, as JSON
    /// schema demands.</summary>
    public JsonObject Checked(JsonNode? schema)
    {
        if (schema is not JsonObject json)
        {
            throw Refuse($"has {Show(schema)} where a schema should be");
        }

        foreach (var (keyword, value) in json)
        {
            if (SchemaKeywords.Unsupported.Contains(keyword) && !IsNeutral(keyword, value, json))
            {
                throw Refuse($"keyword '{keyword}' is not supported", json, keyword);
            }
        }

        return json;
    }

    /// <summary>A bound that counts something; null when absent.</summary>
    public int? Count(JsonObject schema, string keyword, int most)
    {
        if (Number(schema, keyword) is not { } value)
        {
            return null;
        }

        return value.IsInteger && value.Digits.Sign >= 0 && value.Digits <= most
            ? (int)value.Digits
            : throw Refuse($"keyword '{keyword}' is {Show(schema[keyword])}; 0 to {most} are supported", schema, keyword);
    }

    public ExactNumber? Number(JsonObject schema, string keyword)
    {
        if (!schema.TryGetPropertyValue(keyword, out var value))
        {
            return null;
        }

        // Draft 4 has a switch beside the bound.
        if (keyword is "exclusiveMinimum" or "exclusiveMaximum" && value?.GetValueKind() is JsonValueKind.True or JsonValueKind.False)
        {
            var bound = keyword == "exclusiveMinimum" ? "minimum" : "maximum";
            return IsTrue(schema, keyword) ? Number(schema, bound) : null;
        }

        return value is JsonValue
            && value.GetValueKind() == JsonValueKind.Number
            && ExactNumber.TryParse(value.ToJsonString(), out var number)
            ? number
            : throw Refuse($"keyword '{keyword}' is {Show(value)}; a number with an exponent of at most 400 is supported", schema, keyword);
    }

    /// <summary>A pattern given as the value of a keyword, or as its name.</summary>
    public IReadOnlyList<AnchoredBranch> Pattern(string pattern, JsonObject schema, string keyword)
    {
        try
        {
            return RegexParser.Parse(pattern, $"keyword '{keyword}'");
        }
        catch (InvalidRequestException exception)
        {
            throw Refuse(exception.Message, schema, keyword);
        }
    }

    public string? Text(JsonObject schema, string keyword) =>
        !schema.TryGetPropertyValue(keyword, out var value)
            ? null
            : TextOf(value) ?? throw Refuse($"keyword '{keyword}' is {Show(value)}, not a string", schema, keyword);

    public JsonArray? Array(JsonObject schema, string keyword, int most)
    {
        if (!schema.TryGetPropertyValue(keyword, out var value))
        {
            return null;
        }

        return value is not JsonArray array ? throw Refuse($"keyword '{keyword}' is {Show(value)}, not an array", schema, keyword)
            : array.Count > most
                ? throw Refuse($"keyword '{keyword}' has {array.Count} entries; at most {most} are supported", schema, keyword)
            : array;
    }

    public IReadOnlyList<string> Texts(JsonObject schema, string keyword, int most) =>
        [.. (Array(schema, keyword, most) ?? [])
            .Select(item => TextOf(item) ?? throw Refuse($"keyword '{keyword}' holds {Show(item)}, not a string", schema, keyword))];

    /// <summary>The types a schema allows by <c>type</c>, or by keywords that are about one type; empty when it names none.</summary>
    public HashSet<string> Types(JsonObject schema)
    {
        var types = new HashSet<string>();
        if (schema.TryGetPropertyValue("type", out var type))
        {
            types = [.. TextOf(type) is { } one ? [one] : Texts(schema, "type", SchemaKeywords.Types.Length)];
            if (types.Count == 0 || types.Except(SchemaKeywords.Types).Any())
            {
                throw Refuse($"keyword 'type' is {Show(type)}; known types are {string.Join(", ", SchemaKeywords.Types)}", schema,
                    "type");
            }
        }
        else
        {
            foreach (var (keyword, _) in schema)
            {
                var isUnknown = keyword == "format" && TextOf(schema[keyword]) is { } format && StringFormats.PatternOf(format) is null;
                if (!isUnknown && SchemaKeywords.TypeOf.TryGetValue(keyword, out var named))
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

    public static bool IsTrue(JsonObject schema, string keyword) => IsTrue(schema[keyword]);

    public static bool IsTrue(JsonNode? node) => node?.GetValueKind() == JsonValueKind.True;

    public static bool IsFalse(JsonNode? node) => node?.GetValueKind() == JsonValueKind.False;

    public static bool HasAssertions(JsonObject schema) => schema.Any(pair => SchemaKeywords.Asserts(pair.Key));

    public static string? TextOf(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    public InvalidRequestException Refuse(string problem) => new($"{_parameter}: {problem}", _parameter);

    /// <param name="at">The schema that is wrong.</param>
    /// <param name="keyword">The keyword in it; null for the schema as a whole.</param>
    public InvalidRequestException Refuse(string problem, JsonNode at, string? keyword = null) =>
        Refuse($"{problem} (at {PlaceOf(at)}{(keyword is null ? "" : "/" + Escape(keyword))})");

    /// <summary>Makes exceptions about one place of what an automaton says of it.</summary>
    public Func<string, Exception> Refusing(JsonNode at, string? keyword) =>
        problem => Refuse(keyword is null ? problem : $"keyword '{keyword}' {problem}", at, keyword);

    /// <summary>A copy that remembers where the original stands in the document.</summary>
    public T Copy<T>(T node)
        where T : JsonNode
    {
        var copy = (T)node.DeepClone();
        _places.Add(copy, PlaceOf(node));
        return copy;
    }

    /// <summary>A JSON pointer, such as <c>#/properties/name</c>.</summary>
    private string PlaceOf(JsonNode node)
    {
        var steps = new Stack<string>();
        var at = node;
        while (true)
        {
            if (_places.TryGetValue(at, out var place))
            {
                return string.Concat(steps.Prepend(place));
            }

            if (at.Parent is null)
            {
                return string.Concat(steps.Prepend("#"));
            }

            var name = at.Parent is JsonArray ? at.GetElementIndex().ToString(CultureInfo.InvariantCulture) : Escape(at.GetPropertyName());
            steps.Push("/" + name);
            at = at.Parent;
        }
    }

    private static string Escape(string name) =>
        Shorten(name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal));

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
    private static bool IsNeutral(string keyword, JsonNode? value, JsonObject schema) => keyword switch
    {
        "if" => !schema.ContainsKey("then") && !schema.ContainsKey("else"),
        "then" or "else" => !schema.ContainsKey("if"),
        "minContains" or "maxContains" => !schema.ContainsKey("contains"),
        "contains" => schema["minContains"]?.ToJsonString() == "0" && !schema.ContainsKey("maxContains"),
        "not" => IsFalse(value),
        _ => value is JsonObject { Count: 0 },
    };
}
