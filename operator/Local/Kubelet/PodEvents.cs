using System.Text.Json.Nodes;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>Events about pods from this node, as the kubelet writes them.</summary>
internal sealed class PodEvents(IKubernetesClient client, TimeProvider time, ILogger logger)
{
    private readonly EventRecorder _recorder = new(client, "kubelet", time, Random.Shared, logger);

    /// <summary>Writes in the background: a pod does not wait for its events.</summary>
    public void Record(JsonObject pod, string type, string reason, string message)
    {
        var regarding = KubernetesJson.Read<V1Pod>(pod);
        _ = WriteAsync(regarding, type == "Warning" ? EventType.Warning : EventType.Normal, reason, message);
    }

    private async Task WriteAsync(V1Pod regarding, EventType type, string reason, string message)
    {
        try
        {
            await _recorder.RecordAsync(regarding, type, reason, message, CancellationToken.None);
        }
        catch (Exception exception)
        {
            // Fire and forget must not end in an unobserved exception.
            logger.LogDebug("event {Reason} lost: {Message}", reason, exception.Message);
        }
    }
}
