using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Patch;

/// <summary>Strategic merge patch (sig-api-machinery, "strategic-merge-patch.md"): merge patch that merges lists by key where the kind says
/// so, with directives.</summary>
internal static class StrategicMergePatch
{
    private const string PatchDirective = "$patch";
    private const string RetainKeysDirective = "$retainKeys";
    private const string DeletePrimitivePrefix = "$deleteFromPrimitiveList/";
    private const string OrderPrefix = "$setElementOrder/";

    /// <returns>A new tree; neither argument is changed.</returns>
    public static JsonObject Apply(JsonObject target, JsonObject patch, FieldShape shape) => MergeObject(target, patch, shape) ?? [];

    // null: the patch deletes the object.
    private static JsonObject? MergeObject(JsonObject? target, JsonObject patch, FieldShape shape)
    {
        switch (patch.Text(PatchDirective))
        {
            case "replace":
                return WithoutDirectives(patch);
            case "delete":
                return null;
            case not null and not "merge" and var other:
                throw ApiErrors.BadRequest($"unknown $patch directive \"{other}\"; supported: merge, replace, delete");
        }
        var result = target?.Copy() ?? [];
        if (patch[RetainKeysDirective] is JsonArray retained)
        {
            var keep = retained.Select(name => name.Text()).ToHashSet();
            foreach (var name in result.Select(member => member.Key).Where(name => !keep.Contains(name)).ToList())
            {
                result.Remove(name);
            }
        }
        foreach (var (name, change) in patch)
        {
            if (name.StartsWith(DeletePrimitivePrefix, StringComparison.Ordinal))
            {
                var field = name[DeletePrimitivePrefix.Length..];
                if (result[field] is JsonArray list && change is JsonArray gone)
                {
                    result[field] = new JsonArray(
                        [.. list.Where(item => !gone.Any(g => JsonNode.DeepEquals(g, item))).Select(item => item?.DeepClone())]);
                }
            }
        }
        foreach (var (name, change) in patch)
        {
            if (name.StartsWith('$'))
            {
                continue;
            }
            var child = shape.Field(name);
            var merged = change switch
            {
                null => null,
                JsonObject map => MergeObject(result[name] as JsonObject, map, child),
                JsonArray list => MergeList(result[name] as JsonArray, list, child, patch[OrderPrefix + name] as JsonArray),
                _ => change.DeepClone(),
            };
            if (merged is null)
            {
                result.Remove(name);
            }
            else
            {
                result[name] = merged;
            }
        }
        foreach (var (name, order) in patch)
        {
            // An order without a patch of the list itself only reorders.
            if (name.StartsWith(OrderPrefix, StringComparison.Ordinal) && !patch.ContainsKey(name[OrderPrefix.Length..])
                && order is JsonArray wanted && result[name[OrderPrefix.Length..]] is JsonArray present)
            {
                result[name[OrderPrefix.Length..]] = MergeList(present, [], shape.Field(name[OrderPrefix.Length..]), wanted);
            }
        }
        return result;
    }

    private static JsonArray MergeList(JsonArray? target, JsonArray patch, FieldShape shape, JsonArray? order) => shape.Merge switch
    {
        FieldMerge.Set => Ordered(
            [.. (target ?? []).Concat(patch.Where(item => target is null || !target.Any(t => JsonNode.DeepEquals(t, item))))
                .Select(item => item?.DeepClone())], item => JsonText.ToText(item), order),
        FieldMerge.ListMap => MergeByKey(target, patch, shape, order),
        _ => (JsonArray)patch.DeepClone(),
    };

    private static JsonArray MergeByKey(JsonArray? target, JsonArray patch, FieldShape shape, JsonArray? order)
    {
        var key = shape.Keys[0].Name;
        string KeyOf(JsonNode? item) => JsonText.ToText(item.At(key));
        var replaceAll = patch.Any(item => item.Text(PatchDirective) == "replace" && item is JsonObject { Count: 1 });
        var merged = replaceAll ? [] : (target ?? []).Select(item => item?.DeepClone()).ToList();
        foreach (var item in patch.OfType<JsonObject>())
        {
            if (item.Text(PatchDirective) == "replace" && item.Count == 1)
            {
                continue;
            }
            if (item[key] is null)
            {
                throw ApiErrors.BadRequest($"map: {JsonText.ToText(item)} does not contain declared merge key: {key}");
            }
            var at = merged.FindIndex(existing => KeyOf(existing) == KeyOf(item));
            var result = MergeObject(at < 0 ? null : merged[at] as JsonObject, item, shape.Item);
            if (at >= 0 && result is null)
            {
                merged.RemoveAt(at);
            }
            else if (at >= 0)
            {
                merged[at] = result;
            }
            else if (result is not null)
            {
                merged.Add(result);
            }
        }
        return Ordered(merged, KeyOf, order);
    }

    // Items the order does not name keep their place after those it does.
    private static JsonArray Ordered(List<JsonNode?> items, Func<JsonNode?, string> keyOf, JsonArray? order)
    {
        if (order is not null)
        {
            var rank = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var wanted in order)
            {
                rank.TryAdd(keyOf(wanted), rank.Count);
            }
            items = [.. items.OrderBy(item => rank.GetValueOrDefault(keyOf(item), int.MaxValue))];
        }
        return new JsonArray([.. items]);
    }

    private static JsonObject WithoutDirectives(JsonObject patch)
    {
        var result = patch.Copy();
        foreach (var name in result.Select(member => member.Key).Where(name => name.StartsWith('$')).ToList())
        {
            result.Remove(name);
        }
        return result;
    }
}
