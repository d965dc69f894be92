using System.Buffers.Binary;
using System.Globalization;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Connections to ports of a pod over one WebSocket, one for each port that the client names (k8s.io/kubelet, portforward): what
/// clients speak that have a WebSocket and no SPDY.
/// <code>binary message: channel byte | bytes      channel 2 i: data of the i-th port · 2 i + 1: its error, as text
/// first two bytes of each channel to the client: the port, little-endian</code></summary>
/// <param name="pod">As messages name it.</param>
/// <param name="connect">Opens a connection to a port of the pod.</param>
internal sealed class PortChannels(
    WebSocket socket, string pod, IReadOnlyList<int> ports, Func<int, CancellationToken, Task<Socket>> connect)
{
    /// <summary>One byte counts the channels, and each port has two.</summary>
    public const int MostPorts = 128;

    private const int MessageBytes = 32 * 1024;

    private static readonly TimeSpan FarewellLimit = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _sending = new(1);
    private readonly Pipe[] _received = [.. ports.Select(_ => new Pipe())];

    /// <summary>The ports that the client names: <c>?ports=8000&amp;ports=50051</c> or <c>?ports=8000,50051</c>.</summary>
    /// <returns>Null when there is none, or one is no port.</returns>
    public static IReadOnlyList<int>? Parse(IEnumerable<string?> query)
    {
        List<int> found = [];
        foreach (var text in query.SelectMany(value => (value ?? "").Split(',')))
        {
            if (!ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0)
            {
                return null;
            }

            found.Add(port);
        }

        return found.Count is > 0 and <= MostPorts ? found : null;
    }

    /// <returns>When all connections have ended, or the client has gone.</returns>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var receiving = ReceiveAsync(ending);
        try
        {
            await Task.WhenAll(ports.Select((port, i) => TransferAsync(port, i, ending.Token)));
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", ending.Token);

            // Closed before the client has, the connection would be reset, and what the client has not read yet be lost.
            await Task.WhenAny(receiving, Task.Delay(FarewellLimit, ending.Token));
        }
        finally
        {
            await ending.CancelAsync();
            await receiving;
            _sending.Dispose();
        }
    }

    private async Task TransferAsync(int port, int index, CancellationToken cancellationToken)
    {
        var head = new byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(head, (ushort)port);
        await SendAsync(2 * index, head, cancellationToken);
        await SendAsync((2 * index) + 1, head, cancellationToken);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            using var connection = await connect(port, cancellationToken);
            await using var target = new NetworkStream(connection);
            var up = UpAsync(_received[index].Reader.AsStream(), target, ended.Token);
            var buffer = new byte[MessageBytes];
            while (await target.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                await SendAsync(2 * index, buffer.AsMemory(0, read), cancellationToken);
            }

            await ended.CancelAsync();
            await up;
        }
        catch (Exception failure) when (failure is SocketException or IOException && !cancellationToken.IsCancellationRequested)
        {
            await SendAsync(
                (2 * index) + 1, Encoding.UTF8.GetBytes($"error forwarding port {port} to pod {pod}, uid : {failure.Message}"),
                cancellationToken);
        }
        finally
        {
            // What still comes for it must not stop what comes for the others.
            await _received[index].Reader.CompleteAsync();
        }
    }

    private static async Task UpAsync(Stream from, Stream target, CancellationToken cancellationToken)
    {
        try
        {
            await from.CopyToAsync(target, cancellationToken);
        }
        catch (Exception error) when (error is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The pod has closed the connection, which the other direction tells.
        }
    }

    private async Task ReceiveAsync(CancellationTokenSource ending)
    {
        var buffer = new byte[MessageBytes];
        int? channel = null;
        try
        {
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(), ending.Token);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    break;
                }

                var bytes = buffer.AsMemory(0, part.Count);
                if (channel is null && part.Count > 0)
                {
                    channel = bytes.Span[0];
                    bytes = bytes[1..];
                }

                // The odd ones are ours to write, and there are no more than the client has named.
                if (channel is { } known && known % 2 == 0 && known / 2 < _received.Length && bytes.Length > 0)
                {
                    await _received[known / 2].Writer.WriteAsync(bytes, ending.Token);
                }

                channel = part.EndOfMessage ? null : channel;
            }
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException)
        {
            // Gone without a word, or all connections have ended.
        }
        finally
        {
            await ending.CancelAsync();
            foreach (var pipe in _received)
            {
                await pipe.Writer.CompleteAsync();
            }
        }
    }

    private async Task SendAsync(int channel, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var message = new byte[bytes.Length + 1];
        message[0] = (byte)channel;
        bytes.CopyTo(message.AsMemory(1));
        await _sending.WaitAsync(cancellationToken);
        try
        {
            await socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);
        }
        finally
        {
            _sending.Release();
        }
    }
}
