using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>Makes sure that no value can meet two branches of a <c>oneOf</c>, so that its branches may be laid like those of
/// <c>anyOf</c>.</summary>
internal sealed class OneOf(JsonSchema document)
{
    /// <exception cref="InvalidRequestException">Two branches cannot be told apart by type, by fixed values, or by a property that both
    /// require with fixed values.</exception>
    public void RequireDisjoint(JsonArray branches)
    {
        JsonObject[] schemas = [.. branches.Select(Follow)];
        for (var i = 0; i < schemas.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (!AreDisjoint(schemas[i], schemas[j]))
                {
                    throw document.Refuse(
                        $"keyword 'oneOf' has branches {j} and {i}, which one value might meet both; supported are branches of "
                        + $"different types, or with different 'const' or 'enum', themselves or in a required property");
                }
            }
        }
    }

    /// <summary>What a value may be called in <c>type</c>.</summary>
    public static string[] TypesOf(JsonNode? value) => value?.GetValueKind() switch
    {
        null => ["null"],
        JsonValueKind.True or JsonValueKind.False => ["boolean"],
        JsonValueKind.String => ["string"],
        JsonValueKind.Array => ["array"],
        JsonValueKind.Object => ["object"],
        _ => ExactNumber.TryParse(value.ToJsonString(), out var number) && number.IsInteger ? ["integer", "number"] : ["number"],
    };

    private JsonObject Follow(JsonNode? branch)
    {
        for (var followed = 0; followed < ConstraintLimits.MaxNesting
            && branch is JsonObject json
            && document.Text(json, "$ref") is { } reference; followed++)
        {
            branch = document.Resolve(reference);
        }

        return branch as JsonObject ?? [];
    }

    private bool AreDisjoint(JsonObject left, JsonObject right)
    {
        var values = Values(left);
        var others = Values(right);
        if (values is not null && others is not null)
        {
            return !values.Any(value => others.Any(other => JsonNode.DeepEquals(value, other)));
        }

        var types = Types(left, values);
        var otherTypes = Types(right, others);
        if (types.Count > 0 && otherTypes.Count > 0 && !types.Overlaps(otherTypes))
        {
            return true;
        }

        return types.SetEquals(["object"]) && otherTypes.SetEquals(["object"])
            && document.Texts(left, "required", ConstraintLimits.MaxProperties)
                .Intersect(document.Texts(right, "required", ConstraintLimits.MaxProperties))
                .Any(
                    name => (left["properties"] as JsonObject)?[name] is JsonObject own
                        && (right["properties"] as JsonObject)?[name] is JsonObject other
                    && Values(own) is not null && Values(other) is not null && AreDisjoint(own, other));
    }

    private List<JsonNode?>? Values(JsonObject schema) =>
        schema.TryGetPropertyValue("const", out var constant)
            ? [constant]
            : document.Array(schema, "enum", ConstraintLimits.MaxAlternatives)?.ToList();

    /// <summary>By <c>type</c> or by fixed values only: other keywords say nothing about values of other types.</summary>
    private HashSet<string> Types(JsonObject schema, List<JsonNode?>? values)
    {
        var types = values is not null ? [.. values.SelectMany(TypesOf)]
            : schema.ContainsKey("type") ? document.Types(schema)
            : [];
        if (types.Contains("number"))
        {
            types.Add("integer");
        }

        return types;
    }
}
