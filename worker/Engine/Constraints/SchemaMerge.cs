using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Makes one schema of several that must all hold (<c>allOf</c>, or keywords beside <c>anyOf</c>), where one keyword each can say
/// the same. Called by <see cref="JsonSchemaBuilder"/>.</summary>
internal sealed class SchemaMerge(JsonSchema document)
{
    /// <exception cref="InvalidRequestException">Two schemas use a keyword in ways that cannot be combined here.</exception>
    public JsonObject All(IEnumerable<JsonNode?> schemas)
    {
        JsonObject[] parts = [.. schemas
            .Where(schema => schema?.GetValueKind() != JsonValueKind.True)
            .Select(document.Checked)
            .Where(JsonSchema.HasAssertions)];
        if (parts.Length <= 1)
        {
            return parts is [var only] ? only : [];
        }

        parts = [.. parts.SelectMany(part => Flatten(part, 0))];
        if (parts.Length == 0)
        {
            return [];
        }

        if (parts.Count(part => part.ContainsKey("properties") || part.ContainsKey("required")) > 1
            && parts.FirstOrDefault(part => part.ContainsKey("additionalProperties")) is { } closed)
        {
            throw document.Refuse(
                "keyword 'additionalProperties' is not supported in one of several schemas that must all hold; say it once beside all "
                + "properties, or use 'unevaluatedProperties'",
                closed, "additionalProperties");
        }

        var merged = document.Copy(parts[0]);
        foreach (var part in parts.Skip(1))
        {
            foreach (var (keyword, value) in part)
            {
                if (SchemaKeywords.Asserts(keyword))
                {
                    merged[keyword] = merged.TryGetPropertyValue(keyword, out var known)
                        ? Both(keyword, known, value, part)
                        : Copy(value);
                }
            }
        }

        return merged;
    }

    private JsonNode? Copy(JsonNode? node) => node is null ? null : document.Copy(node);

    /// <summary>A part without references and <c>allOf</c> of its own: what they mean stands beside the rest.</summary>
    private IEnumerable<JsonObject> Flatten(JsonObject part, int depth)
    {
        if (depth > ConstraintLimits.MaxNesting)
        {
            throw document.Refuse("keyword '$ref' leads in a circle", part);
        }

        if (!part.ContainsKey("$ref") && !part.ContainsKey("allOf"))
        {
            return JsonSchema.HasAssertions(part) ? [part] : [];
        }

        var rest = document.Copy(part);
        var meant = new List<JsonNode?>();
        if (document.Text(part, "$ref") is { } reference)
        {
            meant.Add(document.Resolve(reference));
            rest.Remove("$ref");
        }

        meant.AddRange(document.Array(part, "allOf", ConstraintLimits.MaxBranches) ?? []);
        rest.Remove("allOf");
        return meant.Where(one => one?.GetValueKind() != JsonValueKind.True).Select(document.Checked).Prepend(rest)
            .Where(JsonSchema.HasAssertions).SelectMany(one => Flatten(one, depth + 1));
    }

    private JsonNode? Both(string keyword, JsonNode? known, JsonNode? value, JsonObject part)
    {
        switch (keyword)
        {
            case "required":
                return new JsonArray(
                    [.. known!.AsArray().Concat(document.Array(part, keyword, ConstraintLimits.MaxProperties)!).Select(JsonSchema.TextOf)
                        .Distinct().Select(name => (JsonNode?)name)]);
            case "properties" or "patternProperties" when known is JsonObject ours && value is JsonObject theirs:
                return Properties(ours, theirs);
            case "type":
                return Types(known, value, part);
            case "enum" when known is JsonArray values && value is JsonArray others:
                return new JsonArray([.. values.Where(one => others.Any(other => JsonNode.DeepEquals(one, other))).Select(Copy)]);
            case "minimum" or "exclusiveMinimum" or "minLength" or "minItems" or "minProperties":
                return Bound(keyword, known) >= Bound(keyword, value) ? Copy(known) : Copy(value);
            case "maximum" or "exclusiveMaximum" or "maxLength" or "maxItems" or "maxProperties":
                return Bound(keyword, known) <= Bound(keyword, value) ? Copy(known) : Copy(value);
            case "uniqueItems":
                return JsonSchema.IsTrue(known) || JsonSchema.IsTrue(value);
            case "nullable":
                return JsonSchema.IsTrue(known) && JsonSchema.IsTrue(value);
            case "pattern" when JsonSchema.TextOf(known) is { } one && JsonSchema.TextOf(value) is { } other && one != other:
                return $"^(?=[\\s\\S]*(?:{one}))(?=[\\s\\S]*(?:{other}))";
            case "multipleOf" when Bound(keyword, known).IsMultipleOf(Bound(keyword, value)):
                return Copy(known);
            case "multipleOf" when Bound(keyword, value).IsMultipleOf(Bound(keyword, known)):
                return Copy(value);
            case "items" or "propertyNames" or "additionalProperties" when known is not JsonArray && value is not JsonArray:
                return Together(known, value);
            default:
                return JsonNode.DeepEquals(known, value)
                    ? Copy(known)
                    : throw document.Refuse(
                        $"keyword '{keyword}' is given differently by two schemas that must both hold, which is not supported", part,
                        keyword);
        }
    }

    private JsonObject Properties(JsonObject ours, JsonObject theirs)
    {
        var properties = document.Copy(ours);
        foreach (var (name, schema) in theirs)
        {
            properties[name] = properties.TryGetPropertyValue(name, out var own) ? Together(own, schema) : Copy(schema);
        }

        return properties;
    }

    private JsonNode? Together(JsonNode? one, JsonNode? other) =>
        JsonSchema.IsTrue(one) || JsonNode.DeepEquals(one, other) ? Copy(other)
        : JsonSchema.IsTrue(other) ? Copy(one)
        : JsonSchema.IsFalse(one) || JsonSchema.IsFalse(other) ? false
        : new JsonObject { ["allOf"] = new JsonArray(Copy(one), Copy(other)) };

    private JsonArray Types(JsonNode? known, JsonNode? value, JsonObject part)
    {
        var types = document.Types(new JsonObject { ["type"] = known?.DeepClone() });
        var others = document.Types(new JsonObject { ["type"] = value?.DeepClone() });
        var common = types.Where(type => others.Contains(type) || (type == "integer" && others.Contains("number")))
            .Concat(others.Where(type => type == "integer" && types.Contains("number"))).Distinct().Order(StringComparer.Ordinal)
            .ToArray();
        return common.Length > 0
            ? new JsonArray([.. common.Select(type => (JsonNode?)type)])
            : throw document.Refuse(
                $"keyword 'type' leaves nothing: {JsonSchema.Show(known)} and {JsonSchema.Show(value)} must both hold", part, "type");
    }

    private ExactNumber Bound(string keyword, JsonNode? value) =>
        document.Number(new JsonObject { [keyword] = value?.DeepClone() }, keyword)
            ?? throw document.Refuse($"keyword '{keyword}' is {JsonSchema.Show(value)}, not a number");
}
