using System.Globalization;
using k8s.Models;

namespace Cluster.Operator.Kubernetes;

/// <summary>Which part of a container's log.</summary>
/// <param name="TailLines">Lines of the end to begin with; null for all.</param>
/// <param name="SinceSeconds">Age of the oldest line; null for any.</param>
internal sealed record LogRange(
    bool Follow = false, bool Previous = false, bool Timestamps = false, long? TailLines = null, long? SinceSeconds = null);

/// <summary>What a pod sends and receives through the API server as long as both like: its log, and connections to its ports. Called by the
/// kubectl plugin; sends through <see cref="KubernetesTransport"/>.</summary>
internal sealed class PodStreams(KubernetesTransport transport)
{
    /// <summary>The protocol of kubelets for WebSockets (k8s.io/kubelet, portforward): one connection to one port each. The other one, SPDY
    /// in a WebSocket, is what kubectl speaks to have several.</summary>
    public const string PortForwardProtocol = "v4.channel.k8s.io";

    /// <summary>Ends with the log, and with Follow when the container does.</summary>
    /// <exception cref="KubernetesException">Of a container that has not started yet: 400.</exception>
    public Task<Stream> OpenLogAsync(
        string @namespace, string pod, string container, LogRange range, CancellationToken cancellationToken)
    {
        ApiRequest request = new(HttpMethod.Get, ResourcePath.Object(ResourceDefinition.Of<V1Pod>(), @namespace, pod, "log"),
        [
            new("container", container),
            new("follow", range.Follow ? "true" : null),
            new("previous", range.Previous ? "true" : null),
            new("timestamps", range.Timestamps ? "true" : null),
            new("tailLines", range.TailLines?.ToString(CultureInfo.InvariantCulture)),
            new("sinceSeconds", range.SinceSeconds?.ToString(CultureInfo.InvariantCulture)),
        ])
        {
            Accept = "text/plain, application/json",
        };

        // The stream outlives the time limit of the attempt.
        return transport.SendAsync(request, (response, _) => response.Content.ReadAsStreamAsync(cancellationToken), cancellationToken);
    }

    /// <summary>Opens a connection to a port of a pod, as <c>kubectl port-forward</c> does for each of its own.</summary>
    /// <exception cref="KubernetesException">The pod is not there or may not be reached. That nobody listens at the port is told by the
    /// first read: an <see cref="IOException"/>.</exception>
    public Task<Stream> ConnectAsync(string @namespace, string pod, int port, CancellationToken cancellationToken)
    {
        ApiRequest request = new(
            HttpMethod.Get, ResourcePath.Object(ResourceDefinition.Of<V1Pod>(), @namespace, pod, "portforward"),
            [new("ports", port.ToString(CultureInfo.InvariantCulture))])
        {
            WebSocketProtocol = PortForwardProtocol,
        };
        return transport.SendAsync<Stream>(
            request,
            async (response, _) =>
                new PortForwardStream(await WebSocketUpgrade.AcceptAsync(response, PortForwardProtocol, cancellationToken)),
            cancellationToken);
    }
}
