using System.IO.Pipelines;
using System.Net.WebSockets;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Several streams over one WebSocket (k8s.io/apimachinery/pkg/util/remotecommand):
/// <code>binary message: channel byte | bytes       0 stdin · 1 stdout · 2 stderr · 3 error (a Status) · 4 terminal size
/// 255 | channel                                v5: the client has closed that stream</code></summary>
/// <param name="hasTerminal">Whether anybody reads the terminal's sizes.</param>
internal sealed class RemoteChannels(WebSocket socket, bool hasTerminal) : ISessionChannels
{
    /// <summary>kubectl, and before it other clients, which cannot close the input alone. The first that a client names is taken.</summary>
    public static readonly string[] Protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

    private const byte InputChannel = 0;
    private const byte OutputChannel = 1;
    private const byte ErrorChannel = 2;
    private const byte StatusChannel = 3;
    private const byte SizeChannel = 4;
    private const byte Close = 255;
    private const int MessageBytes = 32 * 1024;

    private readonly SemaphoreSlim _sending = new(1);
    private readonly Pipe _input = new();
    private readonly Pipe _sizes = new();

    public Stream Input => _input.Reader.AsStream();

    public Stream Output => new ChannelStream(this, OutputChannel);

    public Stream Error => new ChannelStream(this, ErrorChannel);

    public Stream Sizes => _sizes.Reader.AsStream();

    public async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[MessageBytes];
        byte? channel = null;
        var isInputClosed = false;
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

                if (channel == InputChannel && bytes.Length > 0 && !isInputClosed)
                {
                    await _input.Writer.WriteAsync(bytes, cancellationToken);
                }
                else if (channel == SizeChannel && bytes.Length > 0 && hasTerminal)
                {
                    await _sizes.Writer.WriteAsync(bytes, cancellationToken);
                }
                else if (channel == Close && bytes.Length > 0 && bytes.Span[0] == InputChannel)
                {
                    isInputClosed = true;
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
            await _sizes.Writer.CompleteAsync();
        }
    }

    public async Task FinishAsync(byte[] status, CancellationToken cancellationToken)
    {
        await SendAsync(StatusChannel, status, cancellationToken);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        _sending.Dispose();
        socket.Dispose();
        return ValueTask.CompletedTask;
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
