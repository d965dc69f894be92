using System.Text.Json.Nodes;

namespace Cluster.Operator.Manifests.Schema;

/// <summary>Fills absent fields from the schema's <c>default</c>s, in place, also inside defaults just filled. A null for a field that may
/// not be null but has a default counts as absent.</summary>
internal static class SchemaDefaults
{
    public static void Apply(JsonNode? value, StructuralSchema schema)
    {
        switch (value)
        {
            case JsonObject map:
                foreach (var (name, child) in schema.Properties)
                {
                    if (child.Default is { } fallback
                        && (!map.TryGetPropertyValue(name, out var present) || (present is null && !child.Nullable)))
                    {
                        map[name] = fallback.DeepClone();
                    }
                    Apply(map[name], child);
                }
                if (schema.AdditionalProperties is { } additional)
                {
                    foreach (var (name, child) in map)
                    {
                        if (!schema.Properties.ContainsKey(name))
                        {
                            Apply(child, additional);
                        }
                    }
                }
                break;
            case JsonArray list when schema.Items is { } item:
                foreach (var child in list)
                {
                    Apply(child, item);
                }
                break;
        }
    }
}
