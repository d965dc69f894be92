using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary><c>kubectl get events</c>.</summary>
internal static class EventColumns
{
    public static TableColumn[] All { get; } =
    [
        new("Last Seen", "string", "", "When it was last seen.", 0, (value, now) => LastSeen(value, now)),
        TableColumn.Of("Type", value => value.Text("type")),
        TableColumn.Of("Reason", value => value.Text("reason")),
        TableColumn.Of(
            "Object", value => $"{value.Text("involvedObject", "kind")?.ToLowerInvariant()}/{value.Text("involvedObject", "name")}"),
        TableColumn.Wide("Subobject", value => value.Text("involvedObject", "fieldPath")),
        TableColumn.Wide("Source", value => Source(value)),
        TableColumn.Of("Message", value => value.Text("message")?.Trim()),
        new("First Seen", "string", "", "When it was first seen.", 1,
            (value, now) => Age.Since(value, now, value.At("firstTimestamp") is null ? "eventTime" : "firstTimestamp")),
        new("Count", "string", "", "How often it was seen.", 1,
            (value, _) => $"{value.Integer("series", "count") ?? value.Integer("count") ?? 1}"),
        StandardColumns.Name with { Priority = 1 },
    ];

    private static string LastSeen(JsonObject value, DateTimeOffset now) =>
        value.Time("series", "lastObservedTime") is { } series ? Age.Of(series, now)
        : value.Time("lastTimestamp") is { } last ? Age.Of(last, now)
        : Age.Since(value, now, "eventTime");

    private static string Source(JsonObject value)
    {
        var component = value.Text("source", "component") ?? value.Text("reportingComponent") ?? "";
        return value.Text("source", "host") is { Length: > 0 } host ? $"{component}, {host}" : component;
    }
}
