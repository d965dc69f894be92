using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>A property that has a name in the schema.</summary>
internal sealed record NamedProperty(string Name, JsonNode? Schema, bool IsRequired);

/// <summary>Properties whose names the schema describes.</summary>
/// <param name="Names">No name of a <see cref="NamedProperty"/> is among them.</param>
internal sealed record OtherProperties(RuneAutomaton Names, JsonNode? Schema);

/// <summary>Which names the properties of an object may have, and what holds of each: <c>properties</c>, <c>required</c>,
/// <c>patternProperties</c>, <c>propertyNames</c> and <c>additionalProperties</c> together. Used by <see cref="ObjectSchema"/>.</summary>
internal sealed class PropertyRules
{
    /// <summary>Each doubles the kinds of names there are.</summary>
    private const int MaxPatterns = 6;

    private readonly JsonSchema _document;
    private readonly JsonObject _schema;
    private readonly Func<string, Exception> _refuse;
    private readonly List<(RuneAutomaton Names, JsonNode? Schema)> _patterns = [];
    private readonly RuneAutomaton _names = RuneAutomaton.Anything;
    private readonly IReadOnlyList<string>? _fixedNames;
    private readonly JsonNode? _others;
    private readonly bool _hasOthers;

    public PropertyRules(JsonSchema document, JsonSchemaBuilder schemas, StringSchema strings, JsonObject schema)
    {
        _document = document;
        _schema = schema;
        _refuse = document.Refusing(schema, "patternProperties");
        _hasOthers = schema.TryGetPropertyValue("additionalProperties", out _others)
            || schema.TryGetPropertyValue("unevaluatedProperties", out _others);
        if (schema.TryGetPropertyValue("patternProperties", out var patterns))
        {
            var all = patterns as JsonObject
                ?? throw document.Refuse(
                    $"keyword 'patternProperties' is {JsonSchema.Show(patterns)}, not an object", schema, "patternProperties");
            if (all.Count > MaxPatterns)
            {
                throw document.Refuse(
                    $"keyword 'patternProperties' has {all.Count} entries; at most {MaxPatterns} are supported", schema,
                    "patternProperties");
            }

            foreach (var (pattern, value) in all)
            {
                _patterns.Add((PatternAutomaton.Search(document.Pattern(pattern, all, pattern), _refuse), value));
            }
        }

        if (!schema.TryGetPropertyValue("propertyNames", out var names) || JsonSchema.IsTrue(names))
        {
            return;
        }

        // Names are strings, whatever the schema says of other types.
        if (names is JsonObject described && schemas.Single(described) is var meant)
        {
            if (meant.FirstOrDefault(pair => pair.Key is "anyOf" or "oneOf" or "allOf" or "$ref").Key is { } keyword)
            {
                throw document.Refuse($"keyword '{keyword}' is not supported in 'propertyNames'", schema, "propertyNames");
            }

            _names = strings.Automaton(meant);
            _fixedNames = meant.ContainsKey("enum") || meant.ContainsKey("const")
                ? [.. schemas.FixedValues(meant)!.Select(text => JsonSchema.TextOf(JsonNode.Parse(text))).OfType<string>()]
                : null;
        }
        else
        {
            _fixedNames = [];
        }
    }

    /// <summary>Whether the schema leaves it open which other properties there are.</summary>
    public bool SaysNothingOfOthers => !_hasOthers && _patterns.Count == 0 && _fixedNames is null && _names == RuneAutomaton.Anything;

    /// <summary>Properties in the order they come.</summary>
    public List<NamedProperty> Named()
    {
        var required = _document.Texts(_schema, "required", ConstraintLimits.MaxProperties).ToHashSet(StringComparer.Ordinal);
        var declared = _schema.TryGetPropertyValue("properties", out var node)
            ? node as JsonObject
                ?? throw _document.Refuse($"keyword 'properties' is {JsonSchema.Show(node)}, not an object", _schema, "properties")
            : [];
        string[] names = [
            .. declared.Select(pair => pair.Key).Concat(required.Where(name => !declared.ContainsKey(name)))
                .Concat((_fixedNames ?? []).Where(name => !declared.ContainsKey(name) && !required.Contains(name)))];
        if (names.Length > ConstraintLimits.MaxProperties)
        {
            throw _document.Refuse(
                $"keyword 'properties' has {names.Length} entries; at most {ConstraintLimits.MaxProperties} are supported", _schema,
                "properties");
        }

        if (Array.Find(names, name => name.Length > ConstraintLimits.MaxPropertyName) is { } longest)
        {
            throw _document.Refuse(
                $"keyword 'properties' has a name of {longest.Length} characters; at most {ConstraintLimits.MaxPropertyName} are supported",
                _schema, "properties");
        }

        var properties = new List<NamedProperty>();
        foreach (var name in names)
        {
            if (MayBe(name))
            {
                properties.Add(new NamedProperty(name, SchemaOf(name, declared), required.Contains(name)));
            }
            else if (required.Contains(name))
            {
                throw _document.Refuse($"keyword 'propertyNames' forbids '{name}', which is required", _schema, "propertyNames");
            }
        }

        return [.. properties.Where(property => property.IsRequired || !JsonSchema.IsFalse(property.Schema))];
    }

    /// <summary>Kinds of other names: by the patterns they match, and the rest, where the schema speaks of it.</summary>
    /// <param name="mayBeAny">Whether others may come though the schema does not speak of them.</param>
    public List<OtherProperties> Others(IReadOnlyList<NamedProperty> named, bool mayBeAny)
    {
        if (_fixedNames is not null)
        {
            return [];
        }

        var taken = named.Select(property => property.Name)
            .Concat((_schema["properties"] as JsonObject)?.Select(pair => pair.Key) ?? []).Distinct().ToArray();
        var kinds = new List<(RuneAutomaton Names, List<JsonNode?> Schemas)> { (_names.Except(NameTree.Of(taken), _refuse), []) };
        foreach (var (names, schema) in _patterns)
        {
            kinds = [
                .. kinds.SelectMany(
                    kind => ((RuneAutomaton, List<JsonNode?>)[])
                        [(kind.Names.And(names, _refuse), [.. kind.Schemas, schema]), (kind.Names.Except(names, _refuse), kind.Schemas)])
                    .Where(kind => !kind.Item1.IsEmpty)];
        }

        var rest = _hasOthers ? _others : JsonValue.Create(mayBeAny || _names != RuneAutomaton.Anything);
        return [
            .. kinds.Where(kind => !kind.Names.IsEmpty)
                .Select(kind => new OtherProperties(kind.Names, kind.Schemas.Count == 0 ? rest : All(kind.Schemas)))
                .Where(other => !JsonSchema.IsFalse(other.Schema))];
    }

    private bool MayBe(string name) => (_fixedNames?.Contains(name) ?? true) && _names.Matches(name);

    private JsonNode? SchemaOf(string name, JsonObject declared)
    {
        List<JsonNode?> schemas = [.. _patterns.Where(pattern => pattern.Names.Matches(name)).Select(pattern => pattern.Schema)];
        if (declared.TryGetPropertyValue(name, out var own))
        {
            schemas.Insert(0, own);
        }

        return schemas.Count > 0 ? All(schemas) : _hasOthers ? _others : JsonValue.Create(true);
    }

    private JsonNode? All(List<JsonNode?> schemas) => schemas.Count == 1 ? schemas[0]
        : schemas.Any(JsonSchema.IsFalse) ? false
        : new JsonObject { ["allOf"] = new JsonArray([.. schemas.Select(schema => schema is null ? null : _document.Copy(schema))]) };
}
