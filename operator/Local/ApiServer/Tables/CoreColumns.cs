using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Selectors;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary>Tables of the smaller core kinds.</summary>
internal static class CoreColumns
{
    public static TableColumn[] Namespaces { get; } = [
        StandardColumns.Name, TableColumn.Of("Status", value => value.Text("status", "phase")), StandardColumns.Age];

    public static TableColumn[] Services { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("Type", value => value.Text("spec", "type")),
        TableColumn.Of("Cluster-IP", value => value.Text("spec", "clusterIP") ?? "<none>"),
        TableColumn.Of("External-IP", value => value.Text("spec", "externalName") ?? "<none>"),
        TableColumn.Of("Port(s)", value => Ports(value)),
        StandardColumns.Age,
        TableColumn.Wide("Selector", value => Labels(value.At("spec", "selector"))),
    ];

    public static TableColumn[] Secrets { get; } =
        [StandardColumns.Name, TableColumn.Of("Type", value => value.Text("type")), TableColumn.Of("Data", value => Count(value, "data")),
            StandardColumns.Age];

    public static TableColumn[] ConfigMaps { get; } =
        [StandardColumns.Name, TableColumn.Of("Data", value => Count(value, "data") + Count(value, "binaryData")), StandardColumns.Age];

    public static TableColumn[] ServiceAccounts { get; } =
        [StandardColumns.Name, TableColumn.Of("Secrets", value => value.Items("secrets").Count()), StandardColumns.Age];

    public static TableColumn[] VolumeClaims { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("Status", value => value.Text("status", "phase")),
        TableColumn.Of("Volume", value => value.Text("spec", "volumeName") ?? ""),
        TableColumn.Of("Capacity", value => value.Text("status", "capacity", "storage") ?? ""),
        TableColumn.Of("Access Modes", value => string.Join(",", value.Texts("status", "accessModes"))),
        TableColumn.Of("StorageClass", value => value.Text("spec", "storageClassName") ?? ""),
        StandardColumns.Age,
    ];

    public static TableColumn[] Leases { get; } =
        [StandardColumns.Name, TableColumn.Of("Holder", value => value.Text("spec", "holderIdentity") ?? ""), StandardColumns.Age];

    public static TableColumn[] EndpointSlices { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("AddressType", value => value.Text("addressType")),
        TableColumn.Of("Ports", value => OrUnset(value.Items("ports").Select(port => port.Integer("port")?.ToString()))),
        TableColumn.Of("Endpoints", value => OrUnset(value.Items("endpoints").SelectMany(endpoint => endpoint.Texts("addresses")))),
        StandardColumns.Age,
    ];

    public static TableColumn[] RoleBindings { get; } =
        [StandardColumns.Name, TableColumn.Of("Role", value => $"{value.Text("roleRef", "kind")}/{value.Text("roleRef", "name")}"),
            StandardColumns.Age];

    public static string Labels(JsonNode? map)
    {
        var parts = (map as JsonObject ?? []).Select(label => $"{label.Key}={label.Value.Text()}").Order(StringComparer.Ordinal).ToList();
        return parts.Count == 0 ? "<none>" : string.Join(",", parts);
    }

    public static string Selector(JsonNode? selector) => LabelSelector.Text(selector) is { Length: > 0 } text ? text : "<none>";

    private static string OrUnset(IEnumerable<string?> items) => string.Join(",", items) is { Length: > 0 } text ? text : "<unset>";

    private static int Count(JsonObject value, string map) => (value[map] as JsonObject)?.Count ?? 0;

    private static string Ports(JsonObject service)
    {
        var ports = service.Items("spec", "ports")
            .Select(
                port => port.Integer("nodePort") is { } node
                    ? $"{port.Integer("port")}:{node}/{port.Text("protocol")}"
                    : $"{port.Integer("port")}/{port.Text("protocol")}")
            .ToList();
        return ports.Count == 0 ? "<none>" : string.Join(",", ports);
    }
}
