using System.Globalization;
using System.Net.Sockets;
using Cluster.Operator.Local.ApiServer.Spdy;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary><c>kubectl port-forward</c> (portforward.k8s.io): for each connection that somebody opens at the client, the client opens two
/// streams, <c>data</c> and <c>error</c>, which the headers <c>port</c> and <c>requestid</c> tie together.</summary>
/// <param name="pod">As messages name it.</param>
/// <param name="connect">Opens a connection to a port of the pod.</param>
internal sealed class PortForwarding(
    SpdyConnection connection, string pod, Func<int, CancellationToken, Task<Socket>> connect)
{
    public const string Protocol = "portforward.k8s.io";

    /// <summary>The same, with SPDY in a WebSocket's binary messages: kubectl from 1.31 on.</summary>
    public const string TunnelProtocol = $"SPDY/3.1+{Protocol}";

    private readonly Dictionary<string, SpdyStream> _single = new(StringComparer.Ordinal);

    /// <returns>When the client has gone.</returns>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var receiving = connection.RunAsync(cancellationToken);
        List<Task> transfers = [];
        await foreach (var stream in connection.Accepted.ReadAllAsync(cancellationToken))
        {
            transfers.RemoveAll(transfer => transfer.IsCompleted);
            if (Port(stream) is not { } port || stream.Headers.GetValueOrDefault("streamtype") is not ("data" or "error"))
            {
                await connection.ResetAsync(stream, cancellationToken);
                connection.Forget(stream);
            }
            else if (_single.Remove(Request(stream), out var first))
            {
                var (data, error) = IsData(stream) ? (stream, first) : (first, stream);
                transfers.Add(TransferAsync(data, error, port, cancellationToken));
            }
            else
            {
                _single[Request(stream)] = stream;
            }
        }

        await Task.WhenAll(transfers);
        await receiving;
    }

    private async Task TransferAsync(SpdyStream data, SpdyStream error, int port, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, data.Aborted);
        try
        {
            using var socket = await connect(port, ending.Token);
            await using var target = new NetworkStream(socket);
            var up = UpAsync(data, target, socket, ending.Token);
            await target.CopyToAsync(data, ending.Token);
            await ending.CancelAsync();
            await up;
        }
        catch (Exception failure) when (failure is SocketException or IOException && !cancellationToken.IsCancellationRequested)
        {
            await TellAsync(error, $"error forwarding port {port} to pod {pod}, uid : {failure.Message}", cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The client has closed this connection, or has gone.
        }

        await CloseAsync(data, error, cancellationToken);
    }

    /// <summary>Ends with what the client sends; the pod may go on answering then.</summary>
    private static async Task UpAsync(SpdyStream data, Stream target, Socket socket, CancellationToken cancellationToken)
    {
        try
        {
            await data.CopyToAsync(target, cancellationToken);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The pod has closed the connection, which the other direction tells.
        }
    }

    private static async Task TellAsync(SpdyStream error, string text, CancellationToken cancellationToken)
    {
        try
        {
            await error.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), cancellationToken);
        }
        catch (IOException)
        {
            // The client has left it.
        }
    }

    private async Task CloseAsync(SpdyStream data, SpdyStream error, CancellationToken cancellationToken)
    {
        try
        {
            await data.FinishAsync(cancellationToken);
            await error.FinishAsync(cancellationToken);
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException or System.Net.WebSockets.WebSocketException)
        {
            // The client has gone.
        }

        connection.Forget(data);
        connection.Forget(error);
    }

    private static bool IsData(SpdyStream stream) => stream.Headers["streamtype"] == "data";

    private static int? Port(SpdyStream stream) =>
        ushort.TryParse(stream.Headers.GetValueOrDefault("port"), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0
            ? port
            : null;

    // Clients without request ids open the error stream first and the data stream next.
    private static string Request(SpdyStream stream) => stream.Headers.GetValueOrDefault("requestid")
        ?? $"stream {(IsData(stream) ? stream.Id - 2 : stream.Id)}";
}
