using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary><c>kubectl get nodes</c>.</summary>
internal static class NodeColumns
{
    private const string RolePrefix = "node-role.kubernetes.io/";

    public static TableColumn[] All { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("Status", node => Status(node)),
        TableColumn.Of("Roles", node => Roles(node)),
        StandardColumns.Age,
        TableColumn.Of("Version", node => node.Text("status", "nodeInfo", "kubeletVersion") ?? ""),
        TableColumn.Wide("Internal-IP", node => Address(node, "InternalIP")),
        TableColumn.Wide("External-IP", node => Address(node, "ExternalIP")),
        TableColumn.Wide("OS-Image", node => node.Text("status", "nodeInfo", "osImage") ?? "<unknown>"),
        TableColumn.Wide("Kernel-Version", node => node.Text("status", "nodeInfo", "kernelVersion") ?? "<unknown>"),
        TableColumn.Wide("Container-Runtime", node => node.Text("status", "nodeInfo", "containerRuntimeVersion") ?? "<unknown>"),
    ];

    private static string Status(JsonObject node)
    {
        var ready = node.Items("status", "conditions").FirstOrDefault(c => c.Text("type") == "Ready").Text("status");
        var status = ready switch { "True" => "Ready", null => "Unknown", _ => "NotReady" };
        return node.Flag("spec", "unschedulable") ? $"{status},SchedulingDisabled" : status;
    }

    private static string Roles(JsonObject node)
    {
        var roles = (node.At("metadata", "labels") as JsonObject ?? [])
            .Where(label => label.Key.StartsWith(RolePrefix, StringComparison.Ordinal))
            .Select(label => label.Key[RolePrefix.Length..])
            .Order(StringComparer.Ordinal)
            .ToList();
        return roles.Count == 0 ? "<none>" : string.Join(",", roles);
    }

    private static string Address(JsonObject node, string type) =>
        node.Items("status", "addresses").FirstOrDefault(a => a.Text("type") == type).Text("address") ?? "<none>";
}
