using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Lays a JSON schema into an automaton. Called by <see cref="ConstraintCompiler"/>.</summary>
/// <remarks>Every text of the automaton is valid by the schema. The reverse does not hold: properties come in the schema's order and others
/// only where <c>additionalProperties</c> allows them in so many words, white space and numbers are bounded (<see cref="JsonGrammar"/>),
/// and where keywords name no type, they mean the type they speak of. Keywords that cannot be kept are refused, never passed
/// over.</remarks>
internal sealed class JsonSchemaBuilder
{
    private const long LargestInteger = 999_999_999_999_999;
    private const long LargestBound = 1_000_000_000_000_000_000;

    private static readonly JsonSerializerOptions Spelling = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly JsonSchema _document;
    private readonly AutomatonBuilder _builder;
    private readonly JsonGrammar _grammar;
    private readonly NumberRanges _numbers;
    private readonly SchemaMerge _merge;
    private readonly OneOf _oneOf;
    private readonly Dictionary<string, int> _references = [];
    private readonly Queue<(JsonNode? Schema, int Rule)> _pending = [];
    private int _depth;

    private JsonSchemaBuilder(string text, AutomatonBuilder builder)
    {
        _builder = builder;
        _document = new JsonSchema(text, builder.Parameter);
        _grammar = new JsonGrammar(builder);
        _numbers = new NumberRanges(builder, _grammar);
        _merge = new SchemaMerge(_document);
        _oneOf = new OneOf(_document);
    }

    /// <exception cref="InvalidRequestException">The schema is malformed, too large, or uses what is not supported.</exception>
    public static void Lay(string text, AutomatonBuilder builder)
    {
        var schema = new JsonSchemaBuilder(text, builder);
        schema.Later(schema._document.Root);
        while (schema._pending.TryDequeue(out var next))
        {
            var rule = builder.Rule(next.Rule);
            schema.Value(next.Schema, rule.Start, rule.End);
        }
    }

    private int Later(JsonNode? schema)
    {
        var rule = _builder.AddRule();
        _pending.Enqueue((schema, rule));
        return rule;
    }

    private void Value(JsonNode? schema, int from, int to)
    {
        if (JsonSchema.IsFalse(schema))
        {
            // No way is laid: what needs this value cannot be met, and is left out or refused as a whole.
            return;
        }

        if (schema?.GetValueKind() == JsonValueKind.True)
        {
            _grammar.AnyValue(from, to);
            return;
        }

        if (++_depth > ConstraintLimits.MaxNesting)
        {
            throw _document.Refuse($"is nested more than {ConstraintLimits.MaxNesting} schemas deep, the most that is supported");
        }

        Value(_document.Checked(schema), from, to);
        _depth--;
    }

    private void Value(JsonObject schema, int from, int to)
    {
        if (_document.Text(schema, "$ref") is { } reference)
        {
            if (schema.Any(pair => pair.Key != "$ref" && !SchemaKeywords.Annotations.Contains(pair.Key)))
            {
                throw _document.Refuse("keyword '$ref' is not supported beside other keywords; use allOf");
            }

            if (!_references.TryGetValue(reference, out var rule))
            {
                _references.Add(reference, rule = Later(_document.Resolve(reference)));
            }

            _builder.Call(rule, from, to);
        }
        else if (_document.Array(schema, "allOf", ConstraintLimits.MaxBranches) is { } all)
        {
            Value(_merge.All([Without(schema, "allOf"), .. all]), from, to);
        }
        else if (_document.Array(schema, "anyOf", ConstraintLimits.MaxBranches) is { } any)
        {
            Branches(schema, "anyOf", any, from, to);
        }
        else if (_document.Array(schema, "oneOf", ConstraintLimits.MaxBranches) is { } one)
        {
            _oneOf.RequireDisjoint(one);
            Branches(schema, "oneOf", one, from, to);
        }
        else if (schema.ContainsKey("enum") || schema.ContainsKey("const"))
        {
            Values(schema, from, to);
        }
        else
        {
            ByType(schema, from, to);
        }
    }

    private void Branches(JsonObject schema, string keyword, JsonArray branches, int from, int to)
    {
        var beside = Without(schema, keyword);
        foreach (var branch in branches)
        {
            // Merged keywords count as one more schema inside.
            Value(JsonSchema.IsFalse(branch) || !JsonSchema.HasAssertions(beside) ? branch : _merge.All([beside, branch]), from, to);
        }
    }

    private static JsonObject Without(JsonObject schema, string keyword)
    {
        var rest = (JsonObject)schema.DeepClone();
        rest.Remove(keyword);
        return rest;
    }

    private void Values(JsonObject schema, int from, int to)
    {
        var other = schema.FirstOrDefault(
            pair => pair.Key is not ("enum" or "const" or "type" or "nullable") && !SchemaKeywords.Annotations.Contains(pair.Key)).Key;
        if (other is not null)
        {
            throw _document.Refuse($"keyword '{other}' is not supported beside 'enum' or 'const'");
        }

        IEnumerable<JsonNode?> values = _document.Array(schema, "enum", ConstraintLimits.MaxAlternatives) ?? [];
        if (schema.TryGetPropertyValue("const", out var constant))
        {
            values = schema.ContainsKey("enum") ? values.Where(value => JsonNode.DeepEquals(value, constant)) : [constant];
        }

        var types = _document.Types(schema);
        _builder.Texts(
            values.Where(value => types.Count == 0 || OneOf.TypesOf(value).Any(types.Contains))
                .Select(value => value?.ToJsonString(Spelling) ?? "null"),
            from,
            to);
    }

    private void ByType(JsonObject schema, int from, int to)
    {
        var types = _document.Types(schema);
        if (types.Count == 0)
        {
            _grammar.AnyValue(from, to);
            return;
        }

        foreach (var type in SchemaKeywords.Types.Where(types.Contains))
        {
            switch (type)
            {
                case "null":
                    _builder.Text("null", from, to);
                    break;
                case "boolean":
                    _builder.Texts(["true", "false"], from, to);
                    break;
                case "integer" when !types.Contains("number"):
                    Number(schema, onlyIntegers: true, from, to);
                    break;
                case "number":
                    Number(schema, onlyIntegers: false, from, to);
                    break;
                case "string":
                    String(schema, from, to);
                    break;
                case "array":
                    Array(schema, from, to);
                    break;
                case "object":
                    Object(schema, from, to);
                    break;
            }
        }
    }

    private void Number(JsonObject schema, bool onlyIntegers, int from, int to)
    {
        var (low, lowIsOpen) = Tighter(_document.Decimal(schema, "minimum"), _document.Decimal(schema, "exclusiveMinimum"), 1);
        var (high, highIsOpen) = Tighter(_document.Decimal(schema, "maximum"), _document.Decimal(schema, "exclusiveMaximum"), -1);
        if (low is null && high is null)
        {
            if (onlyIntegers)
            {
                _grammar.Integer(from, to);
            }
            else
            {
                _grammar.Number(from, to);
            }

            return;
        }

        // A missing bound lies beyond all numbers that are written otherwise, and beyond the other bound.
        var least = low ?? (high < -LargestInteger ? -LargestBound : -LargestInteger);
        var most = high ?? (low > LargestInteger ? LargestBound : LargestInteger);
        var first = Math.Ceiling(least) + (lowIsOpen && decimal.IsInteger(least) ? 1 : 0);
        var last = Math.Floor(most) - (highIsOpen && decimal.IsInteger(most) ? 1 : 0);
        var any = _numbers.Integers((long)first, (long)last, from, to);
        if (!onlyIntegers)
        {
            any |= _numbers.Decimals(least, lowIsOpen, most, highIsOpen, from, to);
        }

        if (!any)
        {
            throw _document.Refuse(
                $"keywords 'minimum' and 'maximum' leave no {(onlyIntegers ? "integer" : "number that is supported")} between {least} "
                + $"and {most}");
        }
    }

    /// <param name="direction">1 where the larger bound is the tighter one, -1 where the smaller is.</param>
    private static (decimal? Bound, bool IsOpen) Tighter(decimal? closed, decimal? open, int direction) =>
        open is { } && (closed is null || direction * open >= direction * closed) ? (open, true) : (closed, false);

    private void String(JsonObject schema, int from, int to)
    {
        var min = _document.Count(schema, "minLength", ConstraintLimits.MaxStringLength);
        var max = _document.Count(schema, "maxLength", ConstraintLimits.MaxStringLength);
        if (max < (min ?? 0))
        {
            throw _document.Refuse($"keyword 'minLength' is {min}, above 'maxLength', which is {max}");
        }

        var pattern = _document.Text(schema, "pattern");
        var format = _document.Text(schema, "format");
        if ((pattern is null ? 0 : 1) + (format is null ? 0 : 1) + (min is > 0 || max is not null ? 1 : 0) > 1)
        {
            throw _document.Refuse("keywords 'pattern', 'format' and 'minLength' or 'maxLength' are not supported beside each other");
        }

        var regex = new RegexBuilder(_builder, _grammar.Character);
        if (pattern is not null)
        {
            var branches = RegexParser.Parse(pattern, $"{_builder.Parameter}: keyword 'pattern'");
            _grammar.Quoted(from, to, (start, end) => regex.Search(branches, start, end));
        }
        else if (format is not null)
        {
            var known = StringFormats.PatternOf(format)
                ?? throw _document.Refuse($"keyword 'format' is {JsonSchema.Show(format)}; supported are {StringFormats.Known}");
            _grammar.Quoted(from, to, (start, end) => regex.Whole(RegexParser.Parse(known, "format"), start, end));
        }
        else
        {
            _grammar.String(min ?? 0, max, from, to);
        }
    }

    private void Array(JsonObject schema, int from, int to)
    {
        var prefix = _document.Array(schema, "prefixItems", ConstraintLimits.MaxRepeats) ?? [];
        var min = _document.Count(schema, "minItems", ConstraintLimits.MaxRepeats) ?? 0;
        var max = _document.Count(schema, "maxItems", ConstraintLimits.MaxRepeats);
        if (max < min)
        {
            throw _document.Refuse($"keyword 'minItems' is {min}, above 'maxItems', which is {max}");
        }

        var hasItems = schema.TryGetPropertyValue("items", out var items);
        if (JsonSchema.IsFalse(items) || (!hasItems && prefix.Count > 0 && min <= prefix.Count))
        {
            max = Math.Min(max ?? int.MaxValue, prefix.Count);
        }

        var rest = new Lazy<int>(() => Later(hasItems ? items : JsonValue.Create(true)));
        _grammar.Bracketed("[", "]", from, to, (start, end) =>
        {
            var separated = Math.Max(min, prefix.Count);
            for (var i = 0; ; i++)
            {
                if (i >= min)
                {
                    _builder.Epsilon(start, end);
                }

                if (i == max)
                {
                    return;
                }

                var loops = max is null && i > separated;
                var item = i == 0 ? start : _builder.Node();
                var next = loops ? start : _builder.Node();
                if (i > 0)
                {
                    _grammar.Comma(start, item);
                }

                if (i < prefix.Count)
                {
                    Value(prefix[i], item, next);
                }
                else
                {
                    _builder.Call(rest.Value, item, next);
                }

                if (loops)
                {
                    return;
                }

                start = next;
            }
        });
    }

    /// <summary>Members in the schema's order, each once. <c>first</c> is where none was written yet, <c>more</c> where one was, so that a
    /// comma comes first.</summary>
    private void Object(JsonObject schema, int from, int to)
    {
        var required = _document.Texts(schema, "required", ConstraintLimits.MaxProperties).ToHashSet(StringComparer.Ordinal);
        var others = schema["additionalProperties"];
        var properties = Properties(schema, required, others ?? JsonValue.Create(true));
        if (properties.Count == 0 && others is null)
        {
            _grammar.AnyObject(from, to);
            return;
        }

        _grammar.Bracketed("{", "}", from, to, (start, end) =>
        {
            var first = start;
            var more = _builder.Node();
            foreach (var (name, value) in properties)
            {
                var key = _builder.Node();
                var nextFirst = _builder.Node();
                var nextMore = _builder.Node();
                _builder.Epsilon(first, key);
                _grammar.Comma(more, key);
                Member((from, to) => _builder.Text(JsonSerializer.Serialize(name, Spelling), from, to),
                    (from, to) => Value(value, from, to), key, nextMore);
                if (!required.Contains(name))
                {
                    _builder.Epsilon(first, nextFirst);
                    _builder.Epsilon(more, nextMore);
                }

                (first, more) = (nextFirst, nextMore);
            }

            _builder.Epsilon(first, end);
            _builder.Epsilon(more, end);
            if (others is not null && !JsonSchema.IsFalse(others))
            {
                Others(others, [.. properties.Select(property => property.Name)], first, more, end);
            }
        });
    }

    private void Others(JsonNode schema, IReadOnlyCollection<string> names, int first, int more, int end)
    {
        var key = _builder.Node();
        var written = _builder.Node();
        var rule = Later(schema);
        _builder.Epsilon(first, key);
        _grammar.Comma(more, key);
        Member((from, to) => _grammar.OtherName(names, from, to), (from, to) => _builder.Call(rule, from, to), key, written);
        _grammar.Comma(written, key);
        _builder.Epsilon(written, end);
    }

    private void Member(Action<int, int> name, Action<int, int> value, int from, int to)
    {
        var colon = _builder.Node();
        var start = _builder.Node();
        name(from, colon);
        _grammar.Colon(colon, start);
        value(start, to);
    }

    private List<(string Name, JsonNode? Schema)> Properties(JsonObject schema, HashSet<string> required, JsonNode others)
    {
        var properties = new List<(string Name, JsonNode? Schema)>();
        if (schema.TryGetPropertyValue("properties", out var declared))
        {
            foreach (var (name, value) in declared as JsonObject
                ?? throw _document.Refuse($"keyword 'properties' is {JsonSchema.Show(declared)}, not an object"))
            {
                properties.Add((name, value));
            }
        }

        var known = properties.Select(property => property.Name).ToHashSet(StringComparer.Ordinal);
        properties.AddRange(required.Where(name => !known.Contains(name)).Select(name => (name, (JsonNode?)others)));
        if (properties.Count > ConstraintLimits.MaxProperties)
        {
            throw _document.Refuse(
                $"keyword 'properties' has {properties.Count} entries; at most {ConstraintLimits.MaxProperties} are supported");
        }

        return properties.Find(property => property.Name.Length > ConstraintLimits.MaxPropertyName) is { Name: { } longest }
            ? throw _document.Refuse(
                $"keyword 'properties' has a name of {longest.Length} characters; at most {ConstraintLimits.MaxPropertyName} are supported")
            : properties;
    }
}
