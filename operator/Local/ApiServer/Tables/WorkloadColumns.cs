using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary>Tables of the kinds around pods: apps, policy, autoscaling, networking, scheduling.</summary>
internal static class WorkloadColumns
{
    private static readonly TableColumn[] Template =
    [
        TableColumn.Wide(
            "Containers", value => string.Join(",", value.Items("spec", "template", "spec", "containers").Select(c => c.Text("name")))),
        TableColumn.Wide(
            "Images", value => string.Join(",", value.Items("spec", "template", "spec", "containers").Select(c => c.Text("image")))),
        TableColumn.Wide("Selector", value => CoreColumns.Selector(value.At("spec", "selector"))),
    ];

    public static TableColumn[] Deployments { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("Ready", value => $"{Number(value, "status", "readyReplicas")}/{Number(value, "spec", "replicas")}"),
        TableColumn.Of("Up-to-date", value => Number(value, "status", "updatedReplicas"), type: "integer"),
        TableColumn.Of("Available", value => Number(value, "status", "availableReplicas"), type: "integer"),
        StandardColumns.Age,
        .. Template,
    ];

    public static TableColumn[] ReplicaSets { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("Desired", value => Number(value, "spec", "replicas"), type: "integer"),
        TableColumn.Of("Current", value => Number(value, "status", "replicas"), type: "integer"),
        TableColumn.Of("Ready", value => Number(value, "status", "readyReplicas"), type: "integer"),
        StandardColumns.Age,
        .. Template,
    ];

    public static TableColumn[] DaemonSets { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("Desired", value => Number(value, "status", "desiredNumberScheduled"), type: "integer"),
        TableColumn.Of("Current", value => Number(value, "status", "currentNumberScheduled"), type: "integer"),
        TableColumn.Of("Ready", value => Number(value, "status", "numberReady"), type: "integer"),
        TableColumn.Of("Up-to-date", value => Number(value, "status", "updatedNumberScheduled"), type: "integer"),
        TableColumn.Of("Available", value => Number(value, "status", "numberAvailable"), type: "integer"),
        TableColumn.Of("Node Selector", value => CoreColumns.Labels(value.At("spec", "template", "spec", "nodeSelector"))),
        StandardColumns.Age,
        .. Template,
    ];

    public static TableColumn[] DisruptionBudgets { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("Min Available", value => IntOrString(value.At("spec", "minAvailable"))),
        TableColumn.Of("Max Unavailable", value => IntOrString(value.At("spec", "maxUnavailable"))),
        TableColumn.Of("Allowed Disruptions", value => Number(value, "status", "disruptionsAllowed"), type: "integer"),
        StandardColumns.Age,
    ];

    public static TableColumn[] Autoscalers { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of(
            "Reference", value => $"{value.Text("spec", "scaleTargetRef", "kind")}/{value.Text("spec", "scaleTargetRef", "name")}"),
        TableColumn.Of("MinPods", value => IntOrString(value.At("spec", "minReplicas"))),
        TableColumn.Of("MaxPods", value => Number(value, "spec", "maxReplicas"), type: "integer"),
        TableColumn.Of("Replicas", value => Number(value, "status", "currentReplicas"), type: "integer"),
        StandardColumns.Age,
    ];

    public static TableColumn[] NetworkPolicies { get; } =
        [StandardColumns.Name, TableColumn.Of("Pod-Selector", value => CoreColumns.Selector(value.At("spec", "podSelector"))),
            StandardColumns.Age];

    public static TableColumn[] PriorityClasses { get; } =
    [
        StandardColumns.Name,
        TableColumn.Of("Value", value => value.Integer("value") ?? 0, type: "integer"),
        TableColumn.Of("Global-Default", value => value.Flag("globalDefault"), type: "boolean"),
        StandardColumns.Age,
    ];

    public static TableColumn[] RuntimeClasses { get; } =
        [StandardColumns.Name, TableColumn.Of("Handler", value => value.Text("handler") ?? ""), StandardColumns.Age];

    private static long Number(JsonObject value, string part, string name) => value.Integer(part, name) ?? 0;

    private static string IntOrString(JsonNode? node) => node is null ? "N/A" : node.Text() ?? JsonText.ToText(node);
}
