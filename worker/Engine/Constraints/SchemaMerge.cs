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
            .Where(schema => schema?.GetValueKind() != System.Text.Json.JsonValueKind.True)
            .Select(document.Checked)
            .Where(JsonSchema.HasAssertions)];
        if (parts.Length <= 1)
        {
            return parts is [var only] ? only : [];
        }

        parts = [.. parts.Select(Dereference)];
        if (parts.Count(part => part.ContainsKey("properties") || part.ContainsKey("required")) > 1
            && parts.Any(part => part.ContainsKey("additionalProperties")))
        {
            throw document.Refuse(
                "keyword 'additionalProperties' is not supported in one of several schemas that must all hold; say it once beside all "
                + "properties");
        }

        var merged = new JsonObject();
        foreach (var part in parts)
        {
            foreach (var (keyword, value) in part)
            {
                if (!SchemaKeywords.Annotations.Contains(keyword))
                {
                    merged[keyword] = merged.TryGetPropertyValue(keyword, out var known)
                        ? Both(keyword, known!, value!, part)
                        : value?.DeepClone();
                }
            }
        }

        return merged;
    }

    private JsonObject Dereference(JsonObject part)
    {
        for (var followed = 0; part.ContainsKey("$ref"); followed++)
        {
            if (part.Count(pair => !SchemaKeywords.Annotations.Contains(pair.Key)) > 1 || followed == ConstraintLimits.MaxNesting)
            {
                throw document.Refuse("keyword '$ref' is not supported beside other keywords, or in a circle");
            }

            part = document.Checked(document.Resolve(document.Text(part, "$ref")!));
        }

        return part;
    }

    private JsonNode Both(string keyword, JsonNode known, JsonNode value, JsonObject part)
    {
        switch (keyword)
        {
            case "required":
                return new JsonArray(
                    [.. known.AsArray().Concat(document.Array(part, keyword, ConstraintLimits.MaxProperties)!).Select(JsonSchema.TextOf)
                        .Distinct().Select(name => (JsonNode?)name)]);
            case "properties" when known is JsonObject ours && value is JsonObject theirs:
                var properties = (JsonObject)ours.DeepClone();
                foreach (var (name, schema) in theirs)
                {
                    properties[name] = properties.TryGetPropertyValue(name, out var own)
                        ? new JsonObject { ["allOf"] = new JsonArray(own?.DeepClone(), schema?.DeepClone()) }
                        : schema?.DeepClone();
                }

                return properties;
            case "type":
                var types = document.Types(new JsonObject { ["type"] = known.DeepClone() });
                var others = document.Types(new JsonObject { ["type"] = value.DeepClone() });
                var common = types.Where(type => others.Contains(type) || (type == "integer" && others.Contains("number")))
                    .Concat(others.Where(type => type == "integer" && types.Contains("number"))).Distinct().Order(StringComparer.Ordinal)
                    .ToArray();
                return common.Length > 0
                    ? new JsonArray([.. common.Select(type => (JsonNode?)type)])
                    : throw document.Refuse(
                        $"keyword 'type' leaves nothing: {JsonSchema.Show(known)} and {JsonSchema.Show(value)} must both hold");
            case "minimum" or "exclusiveMinimum" or "minLength" or "minItems":
                return Bound(keyword, known) >= Bound(keyword, value) ? known.DeepClone() : value.DeepClone();
            case "maximum" or "exclusiveMaximum" or "maxLength" or "maxItems":
                return Bound(keyword, known) <= Bound(keyword, value) ? known.DeepClone() : value.DeepClone();
            default:
                return JsonNode.DeepEquals(known, value)
                    ? known.DeepClone()
                    : throw document.Refuse(
                        $"keyword '{keyword}' is given differently by two schemas that must both hold, which is not supported");
        }
    }

    private decimal Bound(string keyword, JsonNode value) =>
        document.Decimal(new JsonObject { [keyword] = value.DeepClone() }, keyword)!.Value;
}
