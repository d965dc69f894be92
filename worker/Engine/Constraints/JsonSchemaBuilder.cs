using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Lays a JSON schema into an automaton. Called by <see cref="ConstraintCompiler"/>.</summary>
/// <remarks>Every text of the automaton is valid by the schema. The reverse does not hold: properties come in the schema's order and others
/// only where the schema speaks of them, white space and numbers are bounded (<see cref="JsonGrammar"/>), and where keywords name no type,
/// they mean the type they speak of. Keywords that cannot be kept are refused, never passed over; unknown ones say nothing.</remarks>
internal sealed class JsonSchemaBuilder
{
    private static readonly JsonSerializerOptions Spelling = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly JsonSchema _document;
    private readonly AutomatonBuilder _builder;
    private readonly JsonGrammar _grammar;
    private readonly NumberSchema _numbers;
    private readonly StringSchema _strings;
    private readonly ArraySchema _arrays;
    private readonly ObjectSchema _objects;
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
        _numbers = new NumberSchema(_document, builder, _grammar);
        _strings = new StringSchema(_document, builder, _grammar);
        _arrays = new ArraySchema(_document, builder, _grammar, this);
        _merge = new SchemaMerge(_document);
        _objects = new ObjectSchema(_document, builder, _grammar, this, _strings);
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

    /// <summary>A rule for a schema, laid when what is being laid is done: schemas may refer to each other in circles.</summary>
    public int Later(JsonNode? schema)
    {
        var rule = _builder.AddRule();
        _pending.Enqueue((schema, rule));
        return rule;
    }

    public void Value(JsonNode? schema, int from, int to)
    {
        if (JsonSchema.IsFalse(schema))
        {
            // No way is laid: what needs this value cannot be met, and is left out or refused as a whole.
            return;
        }

        if (JsonSchema.IsTrue(schema))
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

    /// <summary>How a value is written.</summary>
    public static string Spell(JsonNode? value) => value?.ToJsonString(Spelling) ?? "null";

    /// <summary>The values a schema allows, as they are written, where they are few and named; otherwise null.</summary>
    public IReadOnlyList<string>? FixedValues(JsonNode? schema)
    {
        if (schema is not JsonObject json)
        {
            return JsonSchema.IsFalse(schema) ? [] : null;
        }

        var meant = Single(json);
        var types = _document.Types(meant);
        return meant.ContainsKey("anyOf") || meant.ContainsKey("oneOf") ? null
            : meant.ContainsKey("enum") || meant.ContainsKey("const") ? [.. Allowed(meant).Select(Spell).Distinct()]
            : types.Count > 0 && types.IsSubsetOf(["boolean", "null"])
                ? [.. types.SelectMany(type => type == "null" ? (string[])["null"] : ["true", "false"])]
                : null;
    }

    /// <summary>One schema in place of references and <c>allOf</c>.</summary>
    public JsonObject Single(JsonObject schema) =>
        schema.ContainsKey("$ref") || schema.ContainsKey("allOf") ? _merge.All([schema, new JsonObject { ["allOf"] = new JsonArray() }])
        : _document.Checked(schema);

    private void Value(JsonObject schema, int from, int to)
    {
        if (_document.Text(schema, "$ref") is { } reference && !schema.Any(pair => pair.Key != "$ref" && SchemaKeywords.Asserts(pair.Key)))
        {
            if (!_references.TryGetValue(reference, out var rule))
            {
                _references.Add(reference, rule = Later(_document.Resolve(reference)));
            }

            _builder.Call(rule, from, to);
        }
        else if (schema.ContainsKey("$ref") || _document.Array(schema, "allOf", ConstraintLimits.MaxBranches) is not null)
        {
            Value(Single(schema), from, to);
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
            _builder.Texts(Allowed(schema).Select(Spell), from, to);
        }
        else
        {
            ByType(schema, from, to);
        }
    }

    private void Branches(JsonObject schema, string keyword, JsonArray branches, int from, int to)
    {
        var beside = _document.Copy(schema);
        beside.Remove(keyword);
        foreach (var branch in branches)
        {
            // Merged keywords count as one more schema inside.
            Value(JsonSchema.IsFalse(branch) || !JsonSchema.HasAssertions(beside) ? branch : _merge.All([beside, branch]), from, to);
        }
    }

    /// <summary>The values of <c>enum</c> and <c>const</c> that the keywords beside them allow.</summary>
    private List<JsonNode?> Allowed(JsonObject schema)
    {
        IEnumerable<JsonNode?> values = _document.Array(schema, "enum", ConstraintLimits.MaxAlternatives) ?? [];
        if (schema.TryGetPropertyValue("const", out var constant))
        {
            values = schema.ContainsKey("enum") ? values.Where(value => JsonNode.DeepEquals(value, constant)) : [constant];
        }

        var types = schema.ContainsKey("type") ? _document.Types(schema) : [];
        return [
            .. values.Where(value => (types.Count == 0 || OneOf.TypesOf(value).Any(types.Contains)) && Keeps(schema, value))];
    }

    private bool Keeps(JsonObject schema, JsonNode? value)
    {
        var type = OneOf.TypesOf(value)[^1];
        string[] beside = [.. schema.Select(pair => pair.Key).Where(keyword => SchemaKeywords.TypeOf.GetValueOrDefault(keyword) == type)];
        return beside.Length == 0 || type switch
        {
            "number" => _numbers.Keeps(schema, value!),
            "string" => _strings.Automaton(schema).Matches(JsonSchema.TextOf(value)!),
            _ => throw _document.Refuse($"keyword '{beside[0]}' is not supported beside 'enum' or 'const'", schema, beside[0]),
        };
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
                    _numbers.Lay(schema, onlyIntegers: true, from, to);
                    break;
                case "number":
                    _numbers.Lay(schema, onlyIntegers: false, from, to);
                    break;
                case "string":
                    _strings.Lay(schema, from, to);
                    break;
                case "array":
                    _arrays.Lay(schema, from, to);
                    break;
                case "object":
                    _objects.Lay(schema, from, to);
                    break;
            }
        }
    }
}
