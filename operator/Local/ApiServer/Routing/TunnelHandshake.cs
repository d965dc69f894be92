using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Accepts a WebSocket whose subprotocol's name has a slash, which RFC 6455 does not allow, ASP.NET refuses, and Kubernetes has
/// nevertheless (<c>SPDY/3.1+portforward.k8s.io</c>).</summary>
internal static class TunnelHandshake
{
    // RFC 6455, section 1.3.
    private const string AcceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    private static readonly TimeSpan KeepAlive = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(5);

    /// <returns>The bytes of the binary messages.</returns>
    public static async Task<Stream> AcceptAsync(HttpContext http, string protocol)
    {
        var key = http.Request.Headers.SecWebSocketKey.ToString();
        var headers = http.Response.Headers;
        headers.Upgrade = "websocket";
        headers.SecWebSocketProtocol = protocol;
        headers.SecWebSocketAccept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + AcceptSuffix)));
        var transport = await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        return WebSocketStream.Create(
            WebSocket.CreateFromStream(transport, isServer: true, subProtocol: null, KeepAlive), WebSocketMessageType.Binary, CloseLimit);
    }
}
