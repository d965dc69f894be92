using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>JSON as Go's fmt prints what it was read into; messages of a kube-apiserver have such texts.</summary>
internal static class GoText
{
    /// <summary><c>%v</c>: <c>map[spec:map[replicas:2]]</c>, with sorted keys.</summary>
    public static string Plain(JsonNode? value) => value switch
    {
        null => "<nil>",
        JsonObject map => $"map[{string.Join(' ', Sorted(map).Select(member => $"{member.Key}:{Plain(member.Value)}"))}]",
        JsonArray list => $"[{string.Join(' ', list.Select(Plain))}]",
        _ => Scalar(value, quoted: false),
    };

    /// <summary><c>%#v</c>: <c>map[string]interface {}{"replicas":2}</c>.</summary>
    public static string Syntax(JsonNode? value) => value switch
    {
        null => "interface {}(nil)",
        JsonObject map => "map[string]interface {}{"
            + string.Join(", ", Sorted(map).Select(member => $"{JsonText.ToText(member.Key)}:{Syntax(member.Value)}")) + "}",
        JsonArray list => $"[]interface {{}}{{{string.Join(", ", list.Select(Syntax))}}}",
        _ => Scalar(value, quoted: true),
    };

    /// <summary><c>%T</c>.</summary>
    public static string TypeOf(JsonNode value) => value.GetValueKind() switch
    {
        JsonValueKind.Object => "map[string]interface {}",
        JsonValueKind.Array => "[]interface {}",
        JsonValueKind.String => "string",
        JsonValueKind.Number => GoScalars.IsInteger(value, bits: 64) ? "int64" : "float64",
        _ => "bool",
    };

    private static IEnumerable<KeyValuePair<string, JsonNode?>> Sorted(JsonObject map) =>
        map.OrderBy(member => member.Key, StringComparer.Ordinal);

    private static string Scalar(JsonNode value, bool quoted) => value.GetValueKind() switch
    {
        JsonValueKind.String when !quoted => (string)value!,
        JsonValueKind.Number when value.AsInteger() is { } number => number.ToString(CultureInfo.InvariantCulture),
        _ => JsonText.ToText(value),
    };
}
