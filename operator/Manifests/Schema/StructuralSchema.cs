using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.Operator.Manifests.Schema.Cel;

namespace Cluster.Operator.Manifests.Schema;

/// <summary>A CRD's <c>openAPIV3Schema</c>, parsed once. Read by <see cref="SchemaValidator"/>, <see cref="SchemaDefaults"/>,
/// <see cref="SchemaPruning"/> and, as merge rules, by server-side apply.</summary>
internal sealed class StructuralSchema
{
    private static readonly HashSet<string> Types = ["object", "array", "string", "integer", "number", "boolean"];

    private StructuralSchema(JsonObject source) => Source = source;

    /// <summary>The document as the user wrote it, for OpenAPI.</summary>
    public JsonObject Source { get; }

    /// <summary>null where int-or-string or preserve-unknown-fields leaves the type open.</summary>
    public string? Type { get; private init; }

    public string? Format { get; private init; }

    public bool Nullable { get; private init; }

    public bool IntOrString { get; private init; }

    public bool PreserveUnknownFields { get; private init; }

    public bool EmbeddedResource { get; private init; }

    public JsonNode? Default { get; private init; }

    public IReadOnlyDictionary<string, StructuralSchema> Properties { get; private init; } = new Dictionary<string, StructuralSchema>();

    public StructuralSchema? AdditionalProperties { get; private init; }

    /// <summary><c>additionalProperties: true</c>: any member, of any shape.</summary>
    public bool AnyAdditionalProperties { get; private init; }

    public StructuralSchema? Items { get; private init; }

    public IReadOnlyList<string> Required { get; private init; } = [];

    public JsonArray? Enum { get; private init; }

    public double? Minimum { get; private init; }

    public double? Maximum { get; private init; }

    public bool ExclusiveMinimum { get; private init; }

    public bool ExclusiveMaximum { get; private init; }

    public double? MultipleOf { get; private init; }

    public long? MinLength { get; private init; }

    public long? MaxLength { get; private init; }

    public long? MinItems { get; private init; }

    public long? MaxItems { get; private init; }

    public long? MinProperties { get; private init; }

    public long? MaxProperties { get; private init; }

    public bool UniqueItems { get; private init; }

    public Regex? Pattern { get; private init; }

    public IReadOnlyList<StructuralSchema> AllOf { get; private init; } = [];

    public IReadOnlyList<StructuralSchema> AnyOf { get; private init; } = [];

    public IReadOnlyList<StructuralSchema> OneOf { get; private init; } = [];

    public StructuralSchema? Not { get; private init; }

    /// <summary>atomic (default), set or map.</summary>
    public string? ListType { get; private init; }

    public IReadOnlyList<string> ListMapKeys { get; private init; } = [];

    public bool AtomicMap { get; private init; }

    /// <summary>Its own <c>x-kubernetes-validations</c>.</summary>
    public IReadOnlyList<CelRule> Rules { get; private set; } = [];

    /// <summary>It, or a schema below, has <see cref="Rules"/>.</summary>
    public bool HasRules { get; private set; }

    /// <param name="errors">Receives what is wrong with the schema itself, under <paramref name="path"/>.</param>
    public static StructuralSchema Parse(JsonObject source, string path, List<FieldError> errors) =>
        Parse(source, path, errors, inJunctor: false, atomicParent: null, isRoot: true);

    /// <param name="atomicParent">Path of the innermost list above whose items have no identity; null if there is none.</param>
    private static StructuralSchema Parse(
        JsonObject source, string path, List<FieldError> errors, bool inJunctor, string? atomicParent, bool isRoot = false)
    {
        var intOrString = source.Flag("x-kubernetes-int-or-string");
        var preserve = source.Flag("x-kubernetes-preserve-unknown-fields");
        var type = source.Text("type");
        if (type is not null && !Types.Contains(type))
        {
            errors.Add(FieldError.NotSupported($"{path}.type", $"\"{type}\"", Types.Order(StringComparer.Ordinal).Select(t => $"\"{t}\"")));
        }
        else if (type is null && !intOrString && !preserve && !inJunctor)
        {
            errors.Add(FieldError.Required($"{path}.type", "must not be empty for specified object fields"));
        }

        StructuralSchema Nested(JsonObject child, string at) => Parse(child, at, errors, inJunctor, atomicParent);
        List<StructuralSchema> Junctor(string name) =>
            [.. source.Items(name).OfType<JsonObject>()
                .Select((child, i) => Parse(child, $"{path}.{name}[{i}]", errors, inJunctor: true, atomicParent))];

        var properties = new Dictionary<string, StructuralSchema>();
        foreach (var (name, child) in source.At("properties") as JsonObject ?? [])
        {
            if (child is JsonObject map)
            {
                properties[name] = Nested(map, $"{path}.properties[{name}]");
            }
        }
        var listType = source.Text("x-kubernetes-list-type");
        var keys = source.Texts("x-kubernetes-list-map-keys").ToList();
        if (listType == "map" && keys.Count == 0)
        {
            errors.Add(FieldError.Required($"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map"));
        }

        var schema = new StructuralSchema(source)
        {
            Type = type,
            Format = source.Text("format"),
            Nullable = source.Flag("nullable"),
            IntOrString = intOrString,
            PreserveUnknownFields = preserve,
            EmbeddedResource = source.Flag("x-kubernetes-embedded-resource"),
            Default = source["default"],
            Properties = properties,
            AdditionalProperties = source["additionalProperties"] is JsonObject additional
                ? Nested(additional, $"{path}.additionalProperties")
                : null,
            AnyAdditionalProperties = source.Flag("additionalProperties"),
            Items = source["items"] is JsonObject items
                ? Parse(items, $"{path}.items", errors, inJunctor, listType == "map" ? atomicParent : path)
                : null,
            Required = [.. source.Texts("required")],
            Enum = source["enum"] as JsonArray,
            Minimum = source["minimum"].AsNumber(),
            Maximum = source["maximum"].AsNumber(),
            ExclusiveMinimum = source.Flag("exclusiveMinimum"),
            ExclusiveMaximum = source.Flag("exclusiveMaximum"),
            MultipleOf = source["multipleOf"].AsNumber(),
            MinLength = source.Integer("minLength"),
            MaxLength = source.Integer("maxLength"),
            MinItems = source.Integer("minItems"),
            MaxItems = source.Integer("maxItems"),
            MinProperties = source.Integer("minProperties"),
            MaxProperties = source.Integer("maxProperties"),
            UniqueItems = source.Flag("uniqueItems"),
            Pattern = ParsePattern(source.Text("pattern"), path, errors),
            AllOf = Junctor("allOf"),
            AnyOf = Junctor("anyOf"),
            OneOf = Junctor("oneOf"),
            Not = source["not"] is JsonObject not ? Parse(not, $"{path}.not", errors, inJunctor: true, atomicParent) : null,
            ListType = listType,
            ListMapKeys = keys,
            AtomicMap = source.Text("x-kubernetes-map-type") == "atomic",
        };
        if (inJunctor && source.Items("x-kubernetes-validations").Any())
        {
            errors.Add(FieldError.Forbidden($"{path}.x-kubernetes-validations", "must be empty to be structural"));
            return schema;
        }
        schema.Rules = CelRule.Compile(schema, path, isRoot, atomicParent, errors);
        schema.HasRules = schema.Rules.Count > 0
            || schema.Properties.Values.Append(schema.AdditionalProperties).Append(schema.Items).Any(child => child?.HasRules == true);
        return schema;
    }

    /// <summary>The merge rules this schema states. The root's metadata always merges as object metadata does.</summary>
    public FieldShape ToShape(bool isRoot)
    {
        if (AtomicMap)
        {
            return FieldShape.Whole;
        }
        if (Type == "array")
        {
            return ListType switch
            {
                "set" => new FieldShape { Merge = FieldMerge.Set },
                "map" when Items is { } item => new FieldShape
                {
                    Merge = FieldMerge.ListMap,
                    Items = item.ToShape(isRoot: false),
                    Keys = [.. ListMapKeys.Select(key => new MergeKey(key, item.Properties.GetValueOrDefault(key)?.Default.Text()))],
                },
                _ => FieldShape.Whole,
            };
        }
        var fields = Properties.ToDictionary(p => p.Key, p => p.Value.ToShape(isRoot: false));
        if (isRoot || EmbeddedResource)
        {
            fields["metadata"] = CoreShapes.Metadata;
        }
        return new FieldShape { Fields = fields, Items = AdditionalProperties?.ToShape(isRoot: false) };
    }

    // RE2, which the real server uses, is linear-time; so is this engine, and it refuses the same constructs.
    private static Regex? ParsePattern(string? pattern, string path, List<FieldError> errors)
    {
        if (pattern is null)
        {
            return null;
        }
        try
        {
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            errors.Add(
                FieldError.Invalid($"{path}.pattern", $"\"{pattern}\"", $"must be a valid regular expression, but isn't: {error.Message}"));
            return null;
        }
    }

    internal static string KindOf(JsonNode? value) => value switch
    {
        null => "null",
        JsonObject => "object",
        JsonArray => "array",
        _ => value.GetValueKind() switch
        {
            JsonValueKind.String => "string",
            JsonValueKind.Number => value.AsInteger() is null ? "number" : "integer",
            _ => "boolean",
        },
    };
}
