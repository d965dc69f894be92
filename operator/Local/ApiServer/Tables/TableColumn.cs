using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary>One column of a kind's table: its definition (metav1.TableColumnDefinition) and how a cell is made from an object at a
/// time.</summary>
/// <param name="Priority">0: always shown; above: only with <c>-o wide</c>.</param>
internal sealed record TableColumn(
    string Name, string Type, string Format, string Description, int Priority, Func<JsonObject, DateTimeOffset, JsonNode?> Cell)
{
    public static TableColumn Of(string name, Func<JsonObject, JsonNode?> cell, int priority = 0, string type = "string") =>
        new(name, type, "", name, priority, (value, _) => cell(value));

    public static TableColumn Wide(string name, Func<JsonObject, JsonNode?> cell) => Of(name, cell, priority: 1);

    /// <summary>A CRD's additionalPrinterColumn. Dates are shown as ages, as the real server does.</summary>
    public static TableColumn OfPath(string name, string type, string description, int priority, JsonPathExpression path) =>
        new(name, type, "", description, priority, (value, now) => PathCell(path.Evaluate(value), type, now));

    public JsonObject Definition() => new()
    {
        ["name"] = Name,
        ["type"] = Type,
        ["format"] = Format,
        ["description"] = Description,
        ["priority"] = Priority,
    };

    private static JsonNode? PathCell(List<JsonNode> found, string type, DateTimeOffset now)
    {
        if (found.Count == 0)
        {
            return null;
        }
        if (found.Count > 1)
        {
            return string.Join(",", found.Select(Show));
        }
        return type switch
        {
            "date" => found[0].Time() is { } time ? Age.Of(time, now) : "<invalid>",
            "integer" => found[0].AsInteger() is { } integer ? JsonValue.Create(integer) : null,
            "number" => found[0].AsNumber() is { } number ? JsonValue.Create(number) : null,
            "boolean" => found[0].GetValueKind() is JsonValueKind.True or JsonValueKind.False ? found[0].DeepClone() : null,
            _ => Show(found[0]),
        };
    }

    private static string Show(JsonNode node) => node.Text() ?? JsonText.ToText(node);
}
