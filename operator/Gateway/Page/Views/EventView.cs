using k8s.Models;

namespace Cluster.Operator.Gateway.Page.Views;

/// <param name="About">namespace/name of the deployment.</param>
/// <param name="Last">When it happened, or happened again.</param>
internal sealed record EventView(string Id, bool Warning, string Reason, string Words, string About, int Count, DateTimeOffset? Last)
{
    public static EventView From(Corev1Event value) => new(
        $"{value.Metadata.NamespaceProperty}/{value.Metadata.Name}", value.Type == "Warning", value.Reason ?? "", value.Message ?? "",
        $"{value.InvolvedObject?.NamespaceProperty}/{value.InvolvedObject?.Name}", value.Count ?? 1,
        value.LastTimestamp ?? value.EventTime ?? value.Metadata.CreationTimestamp);
}
