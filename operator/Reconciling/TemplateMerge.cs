using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Reconciling;

/// <summary>Kubernetes' strategic merge patch for a pod template: objects merge field by field, null removes a field, and lists
/// whose items have an identity (containers and env by name, ports by number, …) merge item by item instead of being replaced. Of fields
/// that exclude each other (<see cref="PodUnions"/>) the patch's stays, without a directive.
/// See "Update API Objects in Place Using kubectl patch" and the <c>patchMergeKey</c> tags of core/v1.</summary>
/// <remarks>Directives: <c>$patch: replace|delete|merge</c>, <c>$retainKeys</c>, <c>$deleteFromPrimitiveList/FIELD</c>. Items new to a
/// list are appended in the patch's order.</remarks>
internal static class TemplateMerge
{
    private const int MaxDepth = 64;

    /// <summary>Field name → key its items are told apart by, for the lists of ObjectMeta and PodSpec. Lists not named here are replaced
    /// whole.</summary>
    private static readonly Dictionary<string, string> MergeKeys = new(StringComparer.Ordinal)
    {
        ["containers"] = "name",
        ["initContainers"] = "name",
        ["ephemeralContainers"] = "name",
        ["env"] = "name",
        ["volumes"] = "name",
        ["volumeMounts"] = "mountPath",
        ["volumeDevices"] = "devicePath",
        ["ports"] = "containerPort",
        ["imagePullSecrets"] = "name",
        ["hostAliases"] = "ip",
        ["topologySpreadConstraints"] = "topologyKey",
        ["resourceClaims"] = "name",
        ["schedulingGates"] = "name",
        ["ownerReferences"] = "uid",
    };

    /// <summary>Lists of plain values that are united rather than replaced.</summary>
    private static readonly HashSet<string> PrimitiveMerges = new(StringComparer.Ordinal) { "finalizers" };

    /// <returns>A new tree; neither argument is changed.</returns>
    /// <exception cref="FormatException">A directive is unknown, an item lacks its key, or the patch is nested too deeply.</exception>
    public static JsonObject Apply(JsonObject original, JsonObject patch) => Merge(original, patch, "", "", 0);

    /// <param name="holder">The field that holds the object, or the list of which it is an item.</param>
    private static JsonObject Merge(JsonObject original, JsonObject patch, string holder, string path, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new FormatException($"{path}: nested deeper than {MaxDepth} levels");
        }

        var directive = Directive(patch, path);
        if (directive == "delete")
        {
            return [];
        }

        var result = directive == "replace" ? [] : original.DeepClone().AsObject();
        RetainKeys(result, patch, path);
        RemoveOtherMembers(result, patch, holder);
        foreach ((var field, var value) in patch)
        {
            var at = path.Length == 0 ? field : $"{path}.{field}";
            if (field.StartsWith("$deleteFromPrimitiveList/", StringComparison.Ordinal))
            {
                RemoveFrom(result, field[(field.IndexOf('/', StringComparison.Ordinal) + 1)..], value, at);
            }
            else if (field.StartsWith('$'))
            {
                if (field is not ("$patch" or "$retainKeys"))
                {
                    throw new FormatException($"{at}: unknown directive; supported: $patch, $retainKeys, $deleteFromPrimitiveList/FIELD");
                }
            }
            else if (value is null)
            {
                result.Remove(field);
            }
            else
            {
                result[field] = MergeValue(field, result[field], value, at, depth + 1);
            }
        }

        return result;
    }

    private static JsonNode MergeValue(string field, JsonNode? current, JsonNode patch, string path, int depth) => patch switch
    {
        // Also for a field that is new: directives and nulls in the patch must not end up in the result.
        JsonObject value => Merge(current as JsonObject ?? [], value, field, path, depth),
        JsonArray value when MergeKeys.TryGetValue(field, out var key) && value.All(i => i is JsonObject) =>
            MergeItems(current as JsonArray ?? [], value, field, key, path, depth),
        JsonArray value when PrimitiveMerges.Contains(field) => Union(current as JsonArray ?? [], value),
        _ => patch.DeepClone(),
    };

    private static JsonArray MergeItems(
        JsonArray original, JsonArray patch, string list, string key, string path, int depth)
    {
        var replaces = patch.Any(i => Directive(i!.AsObject(), path) == "replace" && !i.AsObject().ContainsKey(key));
        List<JsonObject> result = replaces ? [] : [.. original.OfType<JsonObject>().Select(i => i.DeepClone().AsObject())];
        foreach (var item in patch.OfType<JsonObject>())
        {
            var directive = Directive(item, path);
            if (directive == "replace" && !item.ContainsKey(key))
            {
                continue;
            }

            var identity = item[key]
                ?? throw new FormatException($"{path}: an item has no '{key}', by which items of this list are merged");
            var index = result.FindIndex(i => JsonNode.DeepEquals(i[key], identity));
            if (directive == "delete")
            {
                result.RemoveAll(i => JsonNode.DeepEquals(i[key], identity));
            }
            else if (index < 0)
            {
                result.Add(Merge([], item, list, $"{path}[{identity}]", depth));
            }
            else
            {
                result[index] = Merge(result[index], item, list, $"{path}[{identity}]", depth);
            }
        }

        return new JsonArray([.. result]);
    }

    private static JsonArray Union(JsonArray original, JsonArray patch)
    {
        var result = original.DeepClone().AsArray();
        foreach (var value in patch)
        {
            if (!result.Any(v => JsonNode.DeepEquals(v, value)))
            {
                result.Add(value?.DeepClone());
            }
        }

        return result;
    }

    private static void RetainKeys(JsonObject result, JsonObject patch, string path)
    {
        if (patch["$retainKeys"] is not { } node)
        {
            return;
        }

        if (node is not JsonArray keys)
        {
            throw new FormatException($"{path}.$retainKeys: expected a list of field names");
        }

        HashSet<string> kept = [.. keys.Select(k => k?.ToString() ?? "")];
        foreach (var field in result.Select(p => p.Key).Where(f => !kept.Contains(f)).ToList())
        {
            result.Remove(field);
        }
    }

    /// <summary>Of a union the patch's member wins: with ours beside it, the API server would refuse the pod.</summary>
    private static void RemoveOtherMembers(JsonObject result, JsonObject patch, string holder)
    {
        var members = PodUnions.MembersOf(holder);
        if (members.Any(member => patch[member] is not null))
        {
            foreach (var other in members.Where(member => patch[member] is null))
            {
                result.Remove(other);
            }
        }
    }

    private static void RemoveFrom(JsonObject result, string field, JsonNode? values, string path)
    {
        if (values is not JsonArray removed)
        {
            throw new FormatException($"{path}: expected a list of the values to remove");
        }

        if (result[field] is JsonArray list)
        {
            result[field] = new JsonArray([.. list.Where(v => !removed.Any(r => JsonNode.DeepEquals(r, v))).Select(v => v?.DeepClone())]);
        }
    }

    private static string? Directive(JsonObject patch, string path)
    {
        var directive = patch["$patch"]?.ToString();
        return directive is null or "merge" or "replace" or "delete"
            ? directive
            : throw new FormatException($"{path}.$patch: '{directive}' is none of merge, replace, delete");
    }
}
