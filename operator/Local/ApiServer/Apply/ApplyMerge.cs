using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Apply;

/// <summary>The tree operations of server-side apply: merging an applied configuration into the live object, and taking out fields nobody
/// applies any more.</summary>
internal static class ApplyMerge
{
    /// <returns>A new tree; neither argument is changed.</returns>
    /// <exception cref="ApiException">When an associative list of the applied configuration has two items of one key, or an item without
    /// its key.</exception>
    public static JsonNode? Merge(JsonNode? live, JsonNode? applied, FieldShape shape, string path = "")
    {
        switch (live, applied)
        {
            case (_, JsonObject changes) when shape.Merge != FieldMerge.Atomic:
                var map = live is JsonObject present ? present.Copy() : [];
                foreach (var (name, change) in changes)
                {
                    var merged = Merge(map[name], change, shape.Field(name), $"{path}.{name}");
                    if (merged is null)
                    {
                        map.Remove(name);
                    }
                    else
                    {
                        map[name] = merged;
                    }
                }
                return map;
            case (_, JsonArray items) when FieldPaths.IsAssociative(shape):
                return MergeList(live as JsonArray ?? [], items, shape, path);
            default:
                return applied?.DeepClone();
        }
    }

    /// <summary>Removes <paramref name="gone"/> from a tree, in place, except what <paramref name="keep"/> still owns. Containers emptied
    /// by it go too, unless kept.</summary>
    public static void Remove(JsonNode? node, FieldSet gone, FieldSet? keep, FieldShape shape)
    {
        switch (node)
        {
            case JsonObject map when shape.Merge != FieldMerge.Atomic:
                foreach (var (element, below) in gone.Children)
                {
                    var name = element[2..];
                    if (element[0] == 'f'
                        && map.TryGetPropertyValue(name, out var child)
                        && RemoveBelow(child, below, keep?.Child(element), shape.Field(name)))
                    {
                        map.Remove(name);
                    }
                }
                break;
            case JsonArray list when FieldPaths.IsAssociative(shape):
                for (var i = list.Count - 1; i >= 0; i--)
                {
                    var element = FieldPaths.ItemElement(list[i], i, shape);
                    if (gone.Child(element) is { } below && RemoveBelow(list[i], below, keep?.Child(element), shape.Item))
                    {
                        list.RemoveAt(i);
                    }
                }
                break;
        }
    }

    // True when the caller should take the child itself out.
    private static bool RemoveBelow(JsonNode? child, FieldSet gone, FieldSet? keep, FieldShape shape)
    {
        if (keep is not { IsEmpty: false } && gone.IsMember)
        {
            return true;
        }
        Remove(child, gone, keep, shape);
        return keep is not { IsEmpty: false } && child is JsonObject { Count: 0 } or JsonArray { Count: 0 };
    }

    private static JsonArray MergeList(JsonArray live, JsonArray applied, FieldShape shape, string path)
    {
        var order = new List<string>();
        var byElement = new Dictionary<string, JsonNode?>(StringComparer.Ordinal);
        for (var i = 0; i < live.Count; i++)
        {
            var element = FieldPaths.ItemElement(live[i], i, shape);
            if (byElement.TryAdd(element, live[i]))
            {
                order.Add(element);
            }
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < applied.Count; i++)
        {
            var element = FieldPaths.ItemElement(applied[i], i, shape);
            if (element[0] == 'i')
            {
                throw Untyped(
                    $"{path}: element {i}: associative list with keys has an element that omits key field \"{shape.Keys[0].Name}\"");
            }
            if (!seen.Add(element))
            {
                throw Untyped($"{path}: duplicate entries for key {element[2..]}");
            }
            var present = byElement.TryGetValue(element, out var old);
            if (!present)
            {
                order.Add(element);
            }
            byElement[element] = shape.Merge == FieldMerge.Set ? applied[i] : Merge(old, applied[i], shape.Item, $"{path}[{i}]");
        }
        return new JsonArray([.. order.Select(element => byElement[element]?.DeepClone())]);
    }

    private static ApiException Untyped(string why) => new(400, "BadRequest", $"failed to create typed patch object: {why}");
}
