using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Manifests;

/// <summary>Reads and writes the parts of an object that every kind has, on the raw JSON tree. A missing part reads as null or empty, never
/// throws.</summary>
internal static class ApiObject
{
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            node = node is JsonObject map && map.TryGetPropertyValue(name, out var child) ? child : null;
        }
        return node;
    }

    /// <summary>The string at a path; null when absent or not a string.</summary>
    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>The integer at a path, whatever CLR type the tree holds it in.</summary>
    public static long? Integer(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path).AsInteger();

    public static long? AsInteger(this JsonNode? node) => node is not JsonValue value || value.GetValueKind() != JsonValueKind.Number ? null
        : value.TryGetValue<long>(out var l) ? l
        : value.TryGetValue<int>(out var i) ? i
        : value.TryGetValue<double>(out var d) && Math.Floor(d) == d && Math.Abs(d) < 1e18 ? (long)d
        : null;

    public static double? AsNumber(this JsonNode? node) =>
        node is not JsonValue value || value.GetValueKind() != JsonValueKind.Number ? null
        : value.TryGetValue<double>(out var d) ? d
        : value.TryGetValue<long>(out var l) ? l
        : value.TryGetValue<int>(out var i) ? i
        : null;

    public static bool Flag(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<bool>(out var flag) && flag;

    public static IEnumerable<JsonNode?> Items(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray array ? array : Enumerable.Empty<JsonNode?>();

    public static IEnumerable<string> Texts(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.Items(path).Select(item => item.Text()).OfType<string>();

    /// <summary>The child object, created when absent.</summary>
    public static JsonObject Child(this JsonObject parent, string name)
    {
        if (parent[name] is not JsonObject child)
        {
            child = [];
            parent[name] = child;
        }
        return child;
    }

    public static void SetDefault(this JsonObject parent, string name, JsonNode? value)
    {
        if (parent[name] is null)
        {
            parent[name] = value;
        }
    }

    public static JsonObject Metadata(this JsonObject value) => value.Child("metadata");

    public static string Name(this JsonNode value) => value.Text("metadata", "name") ?? "";

    public static string Namespace(this JsonNode value) => value.Text("metadata", "namespace") ?? "";

    public static string Uid(this JsonNode value) => value.Text("metadata", "uid") ?? "";

    public static bool IsDeleting(this JsonNode value) => value.At("metadata", "deletionTimestamp") is not null;

    public static bool HasFinalizers(this JsonNode value) => value.At("metadata", "finalizers") is JsonArray { Count: > 0 };

    public static JsonObject Copy(this JsonObject value) => (JsonObject)value.DeepClone();

    /// <summary>metav1.Time: RFC 3339, whole seconds, UTC.</summary>
    public static string Timestamp(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static DateTimeOffset? Time(this JsonNode? node, params ReadOnlySpan<string> path) =>
        DateTimeOffset.TryParse(node.Text(path), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;
}
