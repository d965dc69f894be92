using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Apply;

/// <summary>Which fields a value has, and which differ between two values, under a kind's merge rules (structured-merge-diff's ToFieldSet
/// and Compare).</summary>
internal static class FieldPaths
{
    /// <summary>Every field of a value: scalars, atomic values, empty containers, and each item of an associative list.</summary>
    public static FieldSet Of(JsonNode? value, FieldShape shape)
    {
        var set = new FieldSet();
        AddAll(value, shape, set);
        return WithoutRoot(set);
    }

    /// <summary>As <see cref="Of"/>, with the objects and lists that hold fields: what an update owns besides, as far as it made them
    /// itself.</summary>
    public static FieldSet WithParents(JsonNode? value, FieldShape shape)
    {
        var set = new FieldSet();
        AddAll(value, shape, set, withParents: true);
        return WithoutRoot(set);
    }

    /// <summary>Fields of <paramref name="current"/> that <paramref name="old"/> lacks or has with another value.</summary>
    public static FieldSet Changed(JsonNode? old, JsonNode? current, FieldShape shape)
    {
        var set = new FieldSet();
        AddChanged(old, current, shape, set);
        return WithoutRoot(set);
    }

    /// <summary>The path element of a list item; the index stands in for an item without its keys.</summary>
    public static string ItemElement(JsonNode? item, int index, FieldShape list)
    {
        if (list.Merge == FieldMerge.Set)
        {
            return $"v:{JsonText.ToText(item)}";
        }
        var keys = new JsonObject();
        foreach (var key in list.Keys.OrderBy(key => key.Name, StringComparer.Ordinal))
        {
            if (item.At(key.Name) is { } value)
            {
                keys[key.Name] = value.DeepClone();
            }
            else if (key.Default is not null)
            {
                keys[key.Name] = key.Default;
            }
        }
        return keys.Count == 0 ? $"i:{index}" : $"k:{JsonText.ToText(keys)}";
    }

    public static bool IsAssociative(FieldShape shape) => shape.Merge is FieldMerge.Set or FieldMerge.ListMap;

    // An empty object has no fields; nobody owns the object itself.
    private static FieldSet WithoutRoot(FieldSet set)
    {
        set.IsMember = false;
        return set;
    }

    private static void AddAll(JsonNode? value, FieldShape shape, FieldSet set, bool withParents = false)
    {
        switch (value)
        {
            case JsonObject { Count: > 0 } map when shape.Merge != FieldMerge.Atomic:
                set.IsMember |= withParents && !shape.IsAlwaysThere;
                foreach (var (name, child) in map)
                {
                    AddAll(child, shape.Field(name), set.Grow($"f:{name}"), withParents);
                }
                break;
            case JsonArray { Count: > 0 } list when IsAssociative(shape):
                set.IsMember |= withParents && !shape.IsAlwaysThere;
                for (var i = 0; i < list.Count; i++)
                {
                    AddItem(list[i], shape, set.Grow(ItemElement(list[i], i, shape)), withParents);
                }
                break;
            default:
                set.IsMember = true;
                break;
        }
    }

    private static void AddItem(JsonNode? item, FieldShape list, FieldSet set, bool withParents)
    {
        if (list.Merge == FieldMerge.ListMap)
        {
            AddAll(item, list.Item, set, withParents);
        }
        set.IsMember = true;
    }

    private static void AddChanged(JsonNode? old, JsonNode? current, FieldShape shape, FieldSet set)
    {
        switch (old, current)
        {
            case (JsonObject before, JsonObject { Count: > 0 } after) when shape.Merge != FieldMerge.Atomic:
                foreach (var (name, child) in after)
                {
                    var below = new FieldSet();
                    if (before.TryGetPropertyValue(name, out var oldChild))
                    {
                        AddChanged(oldChild, child, shape.Field(name), below);
                    }
                    else
                    {
                        AddAll(child, shape.Field(name), below, withParents: true);
                    }
                    if (!below.IsEmpty)
                    {
                        set.Grow($"f:{name}").UnionWith(below);
                    }
                }
                break;
            case (JsonArray before, JsonArray { Count: > 0 } after) when IsAssociative(shape):
                var known = new Dictionary<string, JsonNode?>(StringComparer.Ordinal);
                for (var i = 0; i < before.Count; i++)
                {
                    known[ItemElement(before[i], i, shape)] = before[i];
                }
                for (var i = 0; i < after.Count; i++)
                {
                    var element = ItemElement(after[i], i, shape);
                    var below = new FieldSet();
                    if (!known.TryGetValue(element, out var oldItem))
                    {
                        AddItem(after[i], shape, below, withParents: true);
                    }
                    else if (shape.Merge == FieldMerge.ListMap)
                    {
                        AddChanged(oldItem, after[i], shape.Item, below);
                    }
                    if (!below.IsEmpty)
                    {
                        set.Grow(element).UnionWith(below);
                    }
                }
                break;
            default:
                if (!JsonNode.DeepEquals(old, current))
                {
                    AddAll(current, shape, set, withParents: true);
                }
                break;
        }
    }
}
