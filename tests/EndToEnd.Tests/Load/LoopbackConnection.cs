using System.Net.Sockets;

namespace Cluster.EndToEnd.Tests.Load;

/// <summary>One client's own TCP connection, with little room for what it has not read yet, and which it can break off as a crashed client
/// does.</summary>
internal sealed class LoopbackConnection : IDisposable
{
    private const int ReceiveBufferBytes = 8192;

    private Socket? _socket;

    public LoopbackConnection() => Handler = new SocketsHttpHandler
    {
        ConnectCallback = ConnectAsync,
        UseProxy = false,
        InitialHttp2StreamWindowSize = 65_535,

        // Leaving a response in the middle closes the connection instead of reading on.
        MaxResponseDrainSize = 0,
    };

    public SocketsHttpHandler Handler { get; }

    /// <summary>Breaks the connection off with a TCP RST.</summary>
    public void Reset()
    {
        _socket!.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose() => Handler.Dispose();

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        _socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = ReceiveBufferBytes };
        await _socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
        return new NetworkStream(_socket, ownsSocket: true);
    }
}
