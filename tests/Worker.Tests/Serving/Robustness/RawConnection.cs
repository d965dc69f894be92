using System.Net.Sockets;

namespace Cluster.Worker.Tests.Serving.Robustness;

/// <summary>A socket to a server, for what no client would send.</summary>
internal sealed class RawConnection : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly CancellationTokenSource _limit = new(Limit);

    private RawConnection()
    {
    }

    public static async Task<RawConnection> OpenAsync(Uri address)
    {
        var connection = new RawConnection();
        await connection._socket.ConnectAsync(address.Host, address.Port, connection._limit.Token);
        return connection;
    }

    /// <summary>Sends, and says whether the server still took it all.</summary>
    public async Task<bool> SendAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0)
            {
                bytes = bytes[await _socket.SendAsync(bytes, _limit.Token)..];
            }

            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Says that nothing more will come, and reads until the server has closed.</summary>
    public Task<byte[]> FinishAsync()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // Closed by the server already; what it said can still be read.
        }

        return ReceiveAsync(_ => false);
    }

    /// <summary>Reads until this is enough, or the server has closed.</summary>
    public async Task<byte[]> ReceiveAsync(Func<byte[], bool> isEnough)
    {
        using var received = new MemoryStream();
        var buffer = new byte[4096];
        try
        {
            while (!isEnough(received.ToArray()) && await _socket.ReceiveAsync(buffer, _limit.Token) is var count and > 0)
            {
                received.Write(buffer, 0, count);
            }
        }
        catch (SocketException)
        {
            // Reset: the server wanted no more of it.
        }

        return received.ToArray();
    }

    /// <summary>Leaves without a goodbye, as a crashed client's machine does.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Close();
    }

    public void Dispose()
    {
        _socket.Dispose();
        _limit.Dispose();
    }
}
