using System.Text.Json.Nodes;

namespace Cluster.Operator.Controller;

/// <summary>JSON text by which two values are equal if and only if their content is: what hashes and "did it change" are taken
/// of.</summary>
internal static class CanonicalJson
{
    /// <summary>The node with the keys of every object in ordinal order.</summary>
    public static string Of(JsonNode? node) => Sorted(node)?.ToJsonString() ?? "null";

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject value =>
            new JsonObject(value.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Sorted(p.Value)))),
        JsonArray value => new JsonArray([.. value.Select(Sorted)]),
        _ => node?.DeepClone(),
    };
}
