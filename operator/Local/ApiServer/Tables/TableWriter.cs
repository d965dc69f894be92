using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary>Objects as a <c>meta.k8s.io/v1</c> Table: what <c>kubectl get</c> asks for and prints.</summary>
internal static class TableWriter
{
    /// <param name="includeObject">What rows carry besides cells: Metadata (default), Object or None.</param>
    /// <param name="withColumns">Only the first table of a watch repeats the column definitions.</param>
    public static JsonObject Write(
        ResourceType type, IEnumerable<JsonObject> values, JsonObject listMetadata, string? includeObject, bool withColumns,
        DateTimeOffset now)
    {
        var rows = new JsonArray();
        foreach (var value in values)
        {
            var row = new JsonObject { ["cells"] = new JsonArray([.. type.Columns.Select(column => column.Cell(value, now))]) };
            if (includeObject != "None")
            {
                row["object"] = includeObject == "Object" ? value.DeepClone() : PartialMetadata(value);
            }
            rows.Add(row);
        }
        return new JsonObject
        {
            ["kind"] = "Table",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["metadata"] = listMetadata,
            ["columnDefinitions"] = withColumns ? new JsonArray([.. type.Columns.Select(column => (JsonNode)column.Definition())]) : null,
            ["rows"] = rows,
        };
    }

    public static JsonObject PartialMetadata(JsonObject value) => new()
    {
        ["kind"] = "PartialObjectMetadata",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = value["metadata"]?.DeepClone(),
    };
}
