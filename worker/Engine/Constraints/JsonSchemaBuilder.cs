using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Lays a JSON schema into an automaton. Called by <see cref="ConstraintCompiler"/>.</summary>
/// <remarks>Every text of the automaton is valid by the schema. The reverse does not hold: properties come in the schema's order and others only where
/// <c>additionalProperties</c> allows them in so many words, white space and numbers are bounded (<see cref="JsonGrammar"/>), and where keywords name no type, they mean
/// the type they speak of. Keywords that cannot be kept are refused, never passed over.</remarks>
internal sealed class JsonSchemaBuilder
{
    private const long LargestInteger = 999_999_999_999_999;
    private const long LargestBound = 1_000_000_000_000_000_000;

    private static readonly JsonSerializerOptions Spelling = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly JsonSchema document;
    private readonly AutomatonBuilder builder;
    private readonly JsonGrammar grammar;
    private readonly NumberRanges numbers;
    private readonly SchemaMerge merge;
    private readonly OneOf oneOf;
    private readonly Dictionary<string, int> references = [];
    private readonly Queue<(JsonNode? Schema, int Rule)> pending = [];
    private int depth;

    private JsonSchemaBuilder(string text, AutomatonBuilder builder)
    {
        this.builder = builder;
        document = new JsonSchema(text, builder.Parameter);
        grammar = new JsonGrammar(builder);
        numbers = new NumberRanges(builder, grammar);
        merge = new SchemaMerge(document);
        oneOf = new OneOf(document);
    }

    /// <exception cref="InvalidRequestException">The schema is malformed, too large, or uses what is not supported.</exception>
    public static void Lay(string text, AutomatonBuilder builder)
    {
        var schema = new JsonSchemaBuilder(text, builder);
        schema.Later(schema.document.Root);
        while (schema.pending.TryDequeue(out var next))
        {
            var rule = builder.Rule(next.Rule);
            schema.Value(next.Schema, rule.Start, rule.End);
        }
    }

    private int Later(JsonNode? schema)
    {
        var rule = builder.AddRule();
        pending.Enqueue((schema, rule));
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
            grammar.AnyValue(from, to);
            return;
        }

        if (++depth > ConstraintLimits.MaxNesting)
        {
            throw document.Refuse($"is nested more than {ConstraintLimits.MaxNesting} schemas deep, the most that is supported");
        }

        Value(document.Checked(schema), from, to);
        depth--;
    }

    private void Value(JsonObject schema, int from, int to)
    {
        if (document.Text(schema, "$ref") is { } reference)
        {
            if (schema.Any(pair => pair.Key != "$ref" && !SchemaKeywords.Annotations.Contains(pair.Key)))
            {
                throw document.Refuse("keyword '$ref' is not supported beside other keywords; use allOf");
            }

            if (!references.TryGetValue(reference, out var rule))
            {
                references.Add(reference, rule = Later(document.Resolve(reference)));
            }

            builder.Call(rule, from, to);
        }
        else if (document.Array(schema, "allOf", ConstraintLimits.MaxBranches) is { } all)
        {
            Value(merge.All([Without(schema, "allOf"), .. all]), from, to);
        }
        else if (document.Array(schema, "anyOf", ConstraintLimits.MaxBranches) is { } any)
        {
            Branches(schema, "anyOf", any, from, to);
        }
        else if (document.Array(schema, "oneOf", ConstraintLimits.MaxBranches) is { } one)
        {
            oneOf.RequireDisjoint(one);
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
            Value(JsonSchema.IsFalse(branch) || !JsonSchema.HasAssertions(beside) ? branch : merge.All([beside, branch]), from, to);
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
        var other = schema.FirstOrDefault(pair => pair.Key is not ("enum" or "const" or "type" or "nullable") && !SchemaKeywords.Annotations.Contains(pair.Key)).Key;
        if (other is not null)
        {
            throw document.Refuse($"keyword '{other}' is not supported beside 'enum' or 'const'");
        }

        IEnumerable<JsonNode?> values = document.Array(schema, "enum", ConstraintLimits.MaxAlternatives) ?? [];
        if (schema.TryGetPropertyValue("const", out var constant))
        {
            values = schema.ContainsKey("enum") ? values.Where(value => JsonNode.DeepEquals(value, constant)) : [constant];
        }

        var types = document.Types(schema);
        builder.Texts(
            values.Where(value => types.Count == 0 || OneOf.TypesOf(value).Any(types.Contains)).Select(value => value?.ToJsonString(Spelling) ?? "null"),
            from,
            to);
    }

    private void ByType(JsonObject schema, int from, int to)
    {
        var types = document.Types(schema);
        if (types.Count == 0)
        {
            grammar.AnyValue(from, to);
            return;
        }

        foreach (var type in SchemaKeywords.Types.Where(types.Contains))
        {
            switch (type)
            {
                case "null":
                    builder.Text("null", from, to);
                    break;
                case "boolean":
                    builder.Texts(["true", "false"], from, to);
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
        var (low, lowIsOpen) = Tighter(document.Decimal(schema, "minimum"), document.Decimal(schema, "exclusiveMinimum"), 1);
        var (high, highIsOpen) = Tighter(document.Decimal(schema, "maximum"), document.Decimal(schema, "exclusiveMaximum"), -1);
        if (low is null && high is null)
        {
            if (onlyIntegers)
            {
                grammar.Integer(from, to);
            }
            else
            {
                grammar.Number(from, to);
            }

            return;
        }

        // A missing bound lies beyond all numbers that are written otherwise, and beyond the other bound.
        var least = low ?? (high < -LargestInteger ? -LargestBound : -LargestInteger);
        var most = high ?? (low > LargestInteger ? LargestBound : LargestInteger);
        var first = Math.Ceiling(least) + (lowIsOpen && decimal.IsInteger(least) ? 1 : 0);
        var last = Math.Floor(most) - (highIsOpen && decimal.IsInteger(most) ? 1 : 0);
        var any = numbers.Integers((long)first, (long)last, from, to);
        if (!onlyIntegers)
        {
            any |= numbers.Decimals(least, lowIsOpen, most, highIsOpen, from, to);
        }

        if (!any)
        {
            throw document.Refuse($"keywords 'minimum' and 'maximum' leave no {(onlyIntegers ? "integer" : "number that is supported")} between {least} and {most}");
        }
    }

    /// <param name="direction">1 where the larger bound is the tighter one, -1 where the smaller is.</param>
    private static (decimal? Bound, bool IsOpen) Tighter(decimal? closed, decimal? open, int direction) =>
        open is { } && (closed is null || direction * open >= direction * closed) ? (open, true) : (closed, false);

    private void String(JsonObject schema, int from, int to)
    {
        var min = document.Count(schema, "minLength", ConstraintLimits.MaxStringLength);
        var max = document.Count(schema, "maxLength", ConstraintLimits.MaxStringLength);
        if (max < (min ?? 0))
        {
            throw document.Refuse($"keyword 'minLength' is {min}, above 'maxLength', which is {max}");
        }

        var pattern = document.Text(schema, "pattern");
        var format = document.Text(schema, "format");
        if ((pattern is null ? 0 : 1) + (format is null ? 0 : 1) + (min is > 0 || max is not null ? 1 : 0) > 1)
        {
            throw document.Refuse("keywords 'pattern', 'format' and 'minLength' or 'maxLength' are not supported beside each other");
        }

        var regex = new RegexBuilder(builder, grammar.Character);
        if (pattern is not null)
        {
            var branches = RegexParser.Parse(pattern, $"{builder.Parameter}: keyword 'pattern'");
            grammar.Quoted(from, to, (start, end) => regex.Search(branches, start, end));
        }
        else if (format is not null)
        {
            var known = StringFormats.PatternOf(format)
                ?? throw document.Refuse($"keyword 'format' is {JsonSchema.Show(format)}; supported are {StringFormats.Known}");
            grammar.Quoted(from, to, (start, end) => regex.Whole(RegexParser.Parse(known, "format"), start, end));
        }
        else
        {
            grammar.String(min ?? 0, max, from, to);
        }
    }

    private void Array(JsonObject schema, int from, int to)
    {
        var prefix = document.Array(schema, "prefixItems", ConstraintLimits.MaxRepeats) ?? [];
        var min = document.Count(schema, "minItems", ConstraintLimits.MaxRepeats) ?? 0;
        var max = document.Count(schema, "maxItems", ConstraintLimits.MaxRepeats);
        if (max < min)
        {
            throw document.Refuse($"keyword 'minItems' is {min}, above 'maxItems', which is {max}");
        }

        var hasItems = schema.TryGetPropertyValue("items", out var items);
        if (JsonSchema.IsFalse(items) || (!hasItems && prefix.Count > 0 && min <= prefix.Count))
        {
            max = Math.Min(max ?? int.MaxValue, prefix.Count);
        }

        var rest = new Lazy<int>(() => Later(hasItems ? items : JsonValue.Create(true)));
        grammar.Bracketed("[", "]", from, to, (start, end) =>
        {
            var separated = Math.Max(min, prefix.Count);
            for (var i = 0; ; i++)
            {
                if (i >= min)
                {
                    builder.Epsilon(start, end);
                }

                if (i == max)
                {
                    return;
                }

                var loops = max is null && i > separated;
                var item = i == 0 ? start : builder.Node();
                var next = loops ? start : builder.Node();
                if (i > 0)
                {
                    grammar.Comma(start, item);
                }

                if (i < prefix.Count)
                {
                    Value(prefix[i], item, next);
                }
                else
                {
                    builder.Call(rest.Value, item, next);
                }

                if (loops)
                {
                    return;
                }

                start = next;
            }
        });
    }

    /// <summary>Members in the schema's order, each once. <c>first</c> is where none was written yet, <c>more</c> where one was, so that a comma comes first.</summary>
    private void Object(JsonObject schema, int from, int to)
    {
        var required = document.Texts(schema, "required", ConstraintLimits.MaxProperties).ToHashSet(StringComparer.Ordinal);
        var others = schema["additionalProperties"];
        var properties = Properties(schema, required, others ?? JsonValue.Create(true));
        if (properties.Count == 0 && others is null)
        {
            grammar.AnyObject(from, to);
            return;
        }

        grammar.Bracketed("{", "}", from, to, (start, end) =>
        {
            var first = start;
            var more = builder.Node();
            foreach (var (name, value) in properties)
            {
                var key = builder.Node();
                var nextFirst = builder.Node();
                var nextMore = builder.Node();
                builder.Epsilon(first, key);
                grammar.Comma(more, key);
                Member((from, to) => builder.Text(JsonSerializer.Serialize(name, Spelling), from, to), (from, to) => Value(value, from, to), key, nextMore);
                if (!required.Contains(name))
                {
                    builder.Epsilon(first, nextFirst);
                    builder.Epsilon(more, nextMore);
                }

                (first, more) = (nextFirst, nextMore);
            }

            builder.Epsilon(first, end);
            builder.Epsilon(more, end);
            if (others is not null && !JsonSchema.IsFalse(others))
            {
                Others(others, [.. properties.Select(property => property.Name)], first, more, end);
            }
        });
    }

    private void Others(JsonNode schema, IReadOnlyCollection<string> names, int first, int more, int end)
    {
        var key = builder.Node();
        var written = builder.Node();
        var rule = Later(schema);
        builder.Epsilon(first, key);
        grammar.Comma(more, key);
        Member((from, to) => grammar.OtherName(names, from, to), (from, to) => builder.Call(rule, from, to), key, written);
        grammar.Comma(written, key);
        builder.Epsilon(written, end);
    }

    private void Member(Action<int, int> name, Action<int, int> value, int from, int to)
    {
        var colon = builder.Node();
        var start = builder.Node();
        name(from, colon);
        grammar.Colon(colon, start);
        value(start, to);
    }

    private List<(string Name, JsonNode? Schema)> Properties(JsonObject schema, HashSet<string> required, JsonNode others)
    {
        var properties = new List<(string Name, JsonNode? Schema)>();
        if (schema.TryGetPropertyValue("properties", out var declared))
        {
            foreach (var (name, value) in declared as JsonObject ?? throw document.Refuse($"keyword 'properties' is {JsonSchema.Show(declared)}, not an object"))
            {
                properties.Add((name, value));
            }
        }

        var known = properties.Select(property => property.Name).ToHashSet(StringComparer.Ordinal);
        properties.AddRange(required.Where(name => !known.Contains(name)).Select(name => (name, (JsonNode?)others)));
        if (properties.Count > ConstraintLimits.MaxProperties)
        {
            throw document.Refuse($"keyword 'properties' has {properties.Count} entries; at most {ConstraintLimits.MaxProperties} are supported");
        }

        return properties.Find(property => property.Name.Length > ConstraintLimits.MaxPropertyName) is { Name: { } longest }
            ? throw document.Refuse($"keyword 'properties' has a name of {longest.Length} characters; at most {ConstraintLimits.MaxPropertyName} are supported")
            : properties;
    }
}
