using System.Net.WebSockets;
using System.Security.Cryptography;

namespace Cluster.Operator.Kubernetes;

/// <summary>The client's half of a WebSocket's handshake (RFC 6455) on <see cref="KubernetesTransport"/>, so that it has the credentials,
/// the trust and the errors of every other call.</summary>
internal static class WebSocketUpgrade
{
    private const string ProtocolHeader = "Sec-WebSocket-Protocol";

    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan KeepAliveTimeout = TimeSpan.FromSeconds(15);

    public static void Ask(HttpRequestMessage message, string protocol)
    {
        message.Headers.Connection.Add("Upgrade");
        message.Headers.Upgrade.ParseAdd("websocket");
        message.Headers.Add("Sec-WebSocket-Version", "13");
        message.Headers.Add("Sec-WebSocket-Key", Convert.ToBase64String(RandomNumberGenerator.GetBytes(16)));
        message.Headers.Add(ProtocolHeader, protocol);
    }

    /// <param name="response">101; what is made of it owns it.</param>
    /// <exception cref="KubernetesException">The server has agreed to another protocol.</exception>
    public static async Task<WebSocket> AcceptAsync(HttpResponseMessage response, string protocol, CancellationToken cancellationToken)
    {
        var agreed = response.Headers.TryGetValues(ProtocolHeader, out var values) ? string.Join(',', values) : "";
        if (agreed != protocol)
        {
            response.Dispose();
            throw new KubernetesException(0, "UnreadableAnswer", $"the server speaks '{agreed}' over WebSockets; '{protocol}' was asked for");
        }

        return WebSocket.CreateFromStream(
            await response.Content.ReadAsStreamAsync(cancellationToken),
            new WebSocketCreationOptions
            {
                IsServer = false,
                SubProtocol = protocol,
                KeepAliveInterval = KeepAlive,
                KeepAliveTimeout = KeepAliveTimeout,
            });
    }
}
