using System.Text.Json.Nodes;

namespace Cluster.Operator.Manifests.Schema;

/// <summary>Takes out members that are null, in place: Go's decoder leaves such a field at its zero value, which is not written again; in a
/// map of strings the zero value is an empty string. Custom resources keep the nulls that their schema allows or does not know
/// (apiextensions, <c>PruneNonNullableNullsWithoutDefaults</c>).</summary>
internal static class NullPruning
{
    private static readonly string[] MapsOfText = ["labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData"];

    /// <summary>Of an object of a built-in kind.</summary>
    public static void Prune(JsonObject value) => Prune(value, isMapOfText: false);

    /// <summary>Of a custom resource. Nulls of fields with a default stay: <see cref="SchemaDefaults"/> replaces them.</summary>
    public static void Prune(JsonNode? value, StructuralSchema schema)
    {
        switch (value)
        {
            case JsonObject map:
                foreach (var (name, child) in map.ToList())
                {
                    var below = schema.Properties.GetValueOrDefault(name) ?? schema.AdditionalProperties;
                    if (below is null)
                    {
                        continue;
                    }

                    if (child is null && !below.Nullable && below.Default is null)
                    {
                        map.Remove(name);
                    }
                    else
                    {
                        Prune(child, below);
                    }
                }

                break;
            case JsonArray list when schema.Items is { } item:
                foreach (var child in list)
                {
                    Prune(child, item);
                }

                break;
        }
    }

    private static void Prune(JsonNode? value, bool isMapOfText)
    {
        switch (value)
        {
            case JsonObject map:
                foreach (var (name, child) in map.ToList())
                {
                    if (child is not null)
                    {
                        Prune(child, MapsOfText.Contains(name));
                    }
                    else if (isMapOfText)
                    {
                        map[name] = "";
                    }
                    else
                    {
                        map.Remove(name);
                    }
                }

                break;
            case JsonArray list:
                foreach (var child in list)
                {
                    Prune(child, isMapOfText: false);
                }

                break;
        }
    }
}
