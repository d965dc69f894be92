using System.IO.Pipelines;
using System.Net.WebSockets;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Several streams over one WebSocket, <c>v5.channel.k8s.io</c> (k8s.io/apimachinery/pkg/util/remotecommand):
/// <code>binary message: channel byte | bytes       0 stdin · 1 stdout · 2 stderr · 3 error (a Status) · 4 terminal size
/// 255 | channel                                the client has closed that stream</code></summary>
internal sealed class RemoteChannels(WebSocket socket) : IDisposable
{
    public const string Protocol = "v5.channel.k8s.io";
    public const byte Output = 1;
    public const byte ErrorOutput = 2;

    private const byte Input = 0;
    private const byte Status = 3;
    private const byte Close = 255;
    private const int MessageBytes = 32 * 1024;

    private readonly SemaphoreSlim _sending = new(1);
    private readonly Pipe _input = new();

    /// <summary>What the client sends to the command; ends when the client closes it or goes.</summary>
    public Stream InputStream => _input.Reader.AsStream();

    public Stream Writer(byte channel) => new ChannelStream(this, channel);

    /// <summary>Takes what the client sends.</summary>
    /// <returns>When the client has gone.</returns>
    public async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[MessageBytes];
        byte? channel = null;
        try
        {
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                var bytes = buffer.AsMemory(0, part.Count);
                if (channel is null && part.Count > 0)
                {
                    channel = bytes.Span[0];
                    bytes = bytes[1..];
                }

                if (channel == Input && bytes.Length > 0)
                {
                    await _input.Writer.WriteAsync(bytes, cancellationToken);
                }
                else if (channel == Close && bytes.Length > 0 && bytes.Span[0] == Input)
                {
                    await _input.Writer.CompleteAsync();
                }

                channel = part.EndOfMessage ? null : channel;
            }
        }
        catch (WebSocketException)
        {
            // Gone without a word, which comes to the same.
        }
        finally
        {
            await _input.Writer.CompleteAsync();
        }
    }

    /// <summary>Says how it ended and closes the connection.</summary>
    public async Task FinishAsync(byte[] status, CancellationToken cancellationToken)
    {
        await SendAsync(Status, status, cancellationToken);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", cancellationToken);
    }

    public void Dispose()
    {
        _sending.Dispose();
        socket.Dispose();
    }

    private async Task SendAsync(byte channel, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var message = new byte[bytes.Length + 1];
        message[0] = channel;
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

    private sealed class ChannelStream(RemoteChannels owner, byte channel) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            for (var rest = buffer; rest.Length > 0; rest = rest[Math.Min(rest.Length, MessageBytes)..])
            {
                await owner.SendAsync(channel, rest[..Math.Min(rest.Length, MessageBytes)], cancellationToken);
            }
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
