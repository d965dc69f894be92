using System.Text.Json.Nodes;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>Runs the rules of a schema on an object, parents before children. Called by <see cref="SchemaValidator"/> for objects that are
/// otherwise valid.</summary>
/// <remarks>A value that an update leaves as it is may go on breaking a rule (that is newer than it): a warning, as with the real server's
/// ratcheting. Rules about the change have no such excuse. On an update, old values are found by field, by map key and, in lists of type
/// map, by their keys; elsewhere in lists no item has one.</remarks>
internal sealed class CelValidator
{
    // One broken document must not produce an unbounded answer.
    private const int MaxErrors = 100;

    private readonly CelBudget _budget = CelBudget.ForObject();
    private readonly List<FieldError> _errors = [];
    private readonly List<string> _warnings;

    private CelValidator(List<string> warnings) => _warnings = warnings;

    /// <param name="old">Null on creation.</param>
    /// <param name="warnings">Receives what the object may go on doing wrong.</param>
    public static List<FieldError> Validate(JsonObject value, JsonObject? old, StructuralSchema schema, List<string> warnings)
    {
        var validator = new CelValidator(warnings);
        validator.Check(value, old, schema, "");
        return validator._errors;
    }

    private void Check(JsonNode? value, JsonNode? old, StructuralSchema schema, string path)
    {
        if (value is null || !schema.HasRules || _errors.Count >= MaxErrors || _budget.IsSpent)
        {
            return;
        }
        foreach (var rule in schema.Rules)
        {
            if (rule.Check(value, old, schema, path, _budget) is not { } error)
            {
                continue;
            }
            if (!rule.UsesOldSelf && old is not null && JsonNode.DeepEquals(value, old))
            {
                _warnings.Add(error.ToString());
            }
            else
            {
                _errors.Add(error);
            }
        }
        switch (value)
        {
            case JsonObject map:
                CheckMembers(map, schema.AtomicMap ? null : old as JsonObject, schema, path);
                break;
            case JsonArray list when schema.Items is { } item:
                for (var i = 0; i < list.Count; i++)
                {
                    Check(list[i], schema.ListType == "map" ? SameItem(list[i], old as JsonArray, schema) : null, item, $"{path}[{i}]");
                }
                break;
        }
    }

    private void CheckMembers(JsonObject map, JsonObject? old, StructuralSchema schema, string path)
    {
        foreach (var (name, child) in map)
        {
            if (schema.Properties.TryGetValue(name, out var property))
            {
                Check(child, old?[name], property, path.Length == 0 ? name : $"{path}.{name}");
            }
            else if (schema.AdditionalProperties is { } additional)
            {
                Check(child, old?[name], additional, $"{path}[{name}]");
            }
        }
    }

    private static JsonNode? SameItem(JsonNode? item, JsonArray? old, StructuralSchema schema) =>
        old?.FirstOrDefault(other => schema.ListMapKeys.All(key => JsonNode.DeepEquals(item.At(key), other.At(key))));
}
