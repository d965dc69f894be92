using System.Net.WebSockets;
using System.Text;

namespace Cluster.Operator.Kubernetes;

/// <summary>One connection to one port of a pod, over a WebSocket (k8s.io/kubelet, portforward, v4.channel.k8s.io):
/// <code>binary message: channel byte | bytes      0 data · 1 error (text)
/// first two bytes of each channel from the pod: the port, little-endian</code>
/// There is no half-close: the socket ends with the connection.</summary>
internal sealed class PortForwardStream(WebSocket socket) : Stream
{
    private const byte DataChannel = 0;
    private const byte ErrorChannel = 1;
    private const int PortBytes = 2;
    private const int MessageBytes = 32 << 10;
    private const int MaxErrorBytes = 4 << 10;

    private readonly byte[] _buffer = new byte[MessageBytes];
    private readonly int[] _portBytesLeft = [PortBytes, PortBytes];
    private readonly MemoryStream _error = new();
    private ReadOnlyMemory<byte> _left;
    private int? _channel;
    private bool _hasEnded;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="IOException">Nobody listens at the port, or the way there broke.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_left.IsEmpty && !_hasEnded && !buffer.IsEmpty)
        {
            await ReceiveAsync(cancellationToken);
        }

        var count = Math.Min(buffer.Length, _left.Length);
        _left[..count].CopyTo(buffer);
        _left = _left[count..];
        return count;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            for (var rest = buffer; !rest.IsEmpty; rest = rest[Math.Min(rest.Length, MessageBytes)..])
            {
                var part = rest[..Math.Min(rest.Length, MessageBytes)];
                var message = new byte[part.Length + 1];
                message[0] = DataChannel;
                part.CopyTo(message.AsMemory(1));
                await socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);
            }
        }
        catch (WebSocketException error)
        {
            throw Broken(error);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // Whoever closes a connection waits for nobody.
            socket.Abort();
            socket.Dispose();
            _error.Dispose();
        }

        base.Dispose(disposing);
    }

    private static IOException Broken(WebSocketException error) =>
        new($"the API server broke the connection to the pod: {error.Message}", error);

    private async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        ValueWebSocketReceiveResult part;
        try
        {
            part = await socket.ReceiveAsync(_buffer.AsMemory(), cancellationToken);
        }
        catch (WebSocketException error)
        {
            throw Broken(error);
        }

        if (part.MessageType == WebSocketMessageType.Close)
        {
            _hasEnded = true;
            ThrowIfFailed();
            return;
        }

        ReadOnlyMemory<byte> bytes = _buffer.AsMemory(0, part.Count);
        if (_channel is null && !bytes.IsEmpty)
        {
            _channel = bytes.Span[0];
            bytes = bytes[1..];
        }

        if (_channel is DataChannel or ErrorChannel)
        {
            var port = Math.Min(bytes.Length, _portBytesLeft[_channel.Value]);
            _portBytesLeft[_channel.Value] -= port;
            Take(bytes[port..]);
        }

        if (part.EndOfMessage)
        {
            _channel = null;
            ThrowIfFailed();
        }
    }

    private void Take(ReadOnlyMemory<byte> bytes)
    {
        if (_channel == DataChannel)
        {
            _left = bytes;
        }
        else
        {
            _error.Write(bytes.Span[..(int)Math.Min(bytes.Length, MaxErrorBytes - _error.Length)]);
        }
    }

    private void ThrowIfFailed()
    {
        if (_error.Length > 0)
        {
            throw new IOException(Encoding.UTF8.GetString(_error.GetBuffer().AsSpan(0, (int)_error.Length)).Trim());
        }
    }
}
