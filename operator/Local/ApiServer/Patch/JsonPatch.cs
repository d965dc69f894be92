using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Patch;

/// <summary>JSON patch, RFC 6902, with JSON pointers, RFC 6901. All or nothing.</summary>
internal static class JsonPatch
{
    private const int MaxOperations = 10_000;

    /// <returns>A new tree; <paramref name="target"/> is not changed.</returns>
    /// <exception cref="ApiException">400 for a malformed patch, 422 when an operation does not apply or a test fails.</exception>
    public static JsonObject Apply(JsonObject target, JsonNode? patch)
    {
        if (patch is not JsonArray operations)
        {
            throw ApiErrors.BadRequest("a JSON patch must be an array of operations");
        }
        if (operations.Count > MaxOperations)
        {
            throw new ApiException(
                413, "RequestEntityTooLarge", $"The allowed maximum operations in a JSON patch is {MaxOperations}, got {operations.Count}");
        }
        JsonNode? root = target.Copy();
        foreach (var operation in operations)
        {
            root = ApplyOne(root, operation);
        }
        return root as JsonObject ?? throw Inapplicable("the patch replaces the object by something that is not an object");
    }

    private static JsonNode? ApplyOne(JsonNode? root, JsonNode? operation)
    {
        var path = Pointer(operation.Text("path") ?? throw ApiErrors.BadRequest("a JSON patch operation needs a \"path\""));
        switch (operation.Text("op"))
        {
            case "add":
                return Add(root, path, Value(operation));
            case "remove":
                Remove(root, path);
                return root;
            case "replace":
                if (path.Length == 0)
                {
                    return Value(operation);
                }
                Remove(root, path);
                return Add(root, path, Value(operation));
            case "move":
                var from = Pointer(operation.Text("from") ?? throw ApiErrors.BadRequest("a \"move\" operation needs \"from\""));
                var moved = Get(root, from)?.DeepClone();
                Remove(root, from);
                return Add(root, path, moved);
            case "copy":
                var source = Pointer(operation.Text("from") ?? throw ApiErrors.BadRequest("a \"copy\" operation needs \"from\""));
                return Add(root, path, Get(root, source)?.DeepClone());
            case "test":
                if (!JsonNode.DeepEquals(Get(root, path), Value(operation)))
                {
                    throw Inapplicable($"testing value {operation.Text("path")} failed");
                }
                return root;
            case var other:
                throw Inapplicable(
                    $"JSON patch operation \"{other}\" is unknown; supported: add, remove, replace, move, copy, test");
        }
    }

    private static JsonNode? Value(JsonNode? operation) =>
        operation is JsonObject map && map.TryGetPropertyValue("value", out var value)
            ? value?.DeepClone()
            : throw ApiErrors.BadRequest("a JSON patch operation needs a \"value\"");

    private static string[] Pointer(string text) =>
        text.Length == 0 ? []
        : text[0] != '/' ? throw ApiErrors.BadRequest($"JSON pointer \"{text}\" must start with \"/\"")
        : [.. text[1..].Split('/')
            .Select(part => part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];

    private static JsonNode? Get(JsonNode? node, ReadOnlySpan<string> path)
    {
        foreach (var part in path)
        {
            node = node switch
            {
                JsonObject map when map.TryGetPropertyValue(part, out var child) => child,
                JsonArray list => list[Index(part, list.Count - 1)],
                _ => throw Missing(part),
            };
        }
        return node;
    }

    private static JsonNode? Add(JsonNode? root, string[] path, JsonNode? value)
    {
        if (path.Length == 0)
        {
            return value;
        }
        switch (Get(root, path.AsSpan(0, path.Length - 1)))
        {
            case JsonObject map:
                map[path[^1]] = value;
                break;
            case JsonArray list:
                list.Insert(path[^1] == "-" ? list.Count : Index(path[^1], list.Count), value);
                break;
            default:
                throw Missing(path[^1]);
        }
        return root;
    }

    private static void Remove(JsonNode? root, string[] path)
    {
        if (path.Length == 0)
        {
            throw Inapplicable("the whole document cannot be removed");
        }
        switch (Get(root, path.AsSpan(0, path.Length - 1)))
        {
            case JsonObject map when map.Remove(path[^1]):
                break;
            case JsonArray list:
                list.RemoveAt(Index(path[^1], list.Count - 1));
                break;
            default:
                throw Missing(path[^1]);
        }
    }

    private static int Index(string part, int last) =>
        int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index <= last ? index : throw Missing(part);

    private static ApiException Missing(string part) => Inapplicable($"no value at \"{part}\"");

    private static ApiException Inapplicable(string why) =>
        new(422, "Invalid", $"the server rejected our request due to an error in our request: {why}");
}
