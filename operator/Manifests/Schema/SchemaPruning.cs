using System.Text.Json.Nodes;

namespace Cluster.Operator.Manifests.Schema;

/// <summary>Removes fields the schema does not name, in place, and says which (they are the unknown fields of
/// <c>fieldValidation</c>).</summary>
internal static class SchemaPruning
{
    public static List<string> Prune(JsonObject value, StructuralSchema schema)
    {
        var unknown = new List<string>();
        Prune(value, schema, "", isResource: true, unknown);
        return unknown;
    }

    private static void Prune(JsonNode? value, StructuralSchema schema, string path, bool isResource, List<string> unknown)
    {
        switch (value)
        {
            case JsonObject map:
                foreach (var name in map.Select(member => member.Key).ToList())
                {
                    var childPath = path.Length == 0 ? name : $"{path}.{name}";
                    if (isResource && name is "apiVersion" or "kind" or "metadata" && isResource)
                    {
                        continue;
                    }
                    if (schema.Properties.TryGetValue(name, out var child))
                    {
                        Prune(map[name], child, childPath, child.EmbeddedResource, unknown);
                    }
                    else if (schema.AdditionalProperties is { } additional)
                    {
                        Prune(map[name], additional, childPath, additional.EmbeddedResource, unknown);
                    }
                    else if (!schema.PreserveUnknownFields && !schema.AnyAdditionalProperties)
                    {
                        map.Remove(name);
                        unknown.Add(childPath);
                    }
                }
                break;
            case JsonArray list when schema.Items is { } item:
                for (var i = 0; i < list.Count; i++)
                {
                    Prune(list[i], item, $"{path}[{i}]", item.EmbeddedResource, unknown);
                }
                break;
        }
    }
}
