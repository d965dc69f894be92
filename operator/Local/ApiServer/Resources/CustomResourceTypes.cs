using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Tables;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>Turns a valid CRD spec into the resource types it defines, one for each served version, the storage version first.</summary>
internal static class CustomResourceTypes
{
    public static IReadOnlyList<ResourceType> Define(JsonObject spec) =>
        [.. spec.Items("versions").OfType<JsonObject>().Where(version => version.Flag("served"))
            .OrderByDescending(version => version.Flag("storage")).Select(version => Define(spec, version))];

    private static ResourceType Define(JsonObject spec, JsonObject version)
    {
        var schema = StructuralSchema.Parse((JsonObject)version.At("schema", "openAPIV3Schema")!, "", []);
        var subresources = version["subresources"];
        var status = subresources.At("status") is not null;
        return new ResourceType
        {
            Group = spec.Text("group")!,
            Version = version.Text("name")!,
            Kind = spec.Text("names", "kind")!,
            CustomListKind = spec.Text("names", "listKind"),
            Plural = spec.Text("names", "plural")!,
            Singular = spec.Text("names", "singular") ?? "",
            ShortNames = [.. spec.Texts("names", "shortNames")],
            Categories = [.. spec.Texts("names", "categories")],
            Namespaced = spec.Text("scope") == "Namespaced",
            HasStatus = status,
            TracksGeneration = true,
            Scale = subresources.At("scale") is JsonObject scale ? Scale(scale) : null,
            Shape = schema.ToShape(isRoot: true),
            Schema = schema,
            Columns = Columns(version),
            SelectableFields = [
                .. version.Items("selectableFields").Select(field => field.Text("jsonPath")?.TrimStart('.')).OfType<string>()],
        };
    }

    private static ScalePaths Scale(JsonObject scale)
    {
        static string[] Path(string? text) => (text ?? "").TrimStart('.').Split('.');
        return new ScalePaths(
            Path(scale.Text("specReplicasPath")), Path(scale.Text("statusReplicasPath")),
            scale.Text("labelSelectorPath") is { } selector ? Path(selector) : null);
    }

    private static List<TableColumn> Columns(JsonObject version)
    {
        var columns = new List<TableColumn> { StandardColumns.Name };
        foreach (var column in version.Items("additionalPrinterColumns"))
        {
            if (column.Text("name") is { } name
                && column.Text("jsonPath") is { } path
                && JsonPathExpression.TryParse(path, out var expression))
            {
                columns.Add(
                    TableColumn.OfPath(
                        name, column.Text("type") ?? "string", column.Text("description") ?? "", (int)(column.Integer("priority") ?? 0),
                        expression));
            }
        }
        if (columns.Count == 1)
        {
            columns.Add(StandardColumns.Age);
        }
        return columns;
    }
}
