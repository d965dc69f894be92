using System.Buffers.Binary;
using System.Threading.Channels;

namespace Cluster.Operator.Local.ApiServer.Spdy;

/// <summary>The server's side of SPDY/3.1, as far as Kubernetes' clients speak it (moby/spdystream): streams that the client opens,
/// data, half-closes, resets and pings. Called by <see cref="Routing.SessionEndpoint"/> over an upgraded connection or a WebSocket.
/// <code>control: 1 | version 3 (15) | type (16) | flags (8) | length (24) | payload
/// data:    0 | stream id (31)              | flags (8) | length (24) | bytes</code></summary>
/// <remarks>Windows are neither kept nor announced, because the clients do not: they never send an update, and would stop at
/// 64 KiB.</remarks>
internal sealed class SpdyConnection(Stream transport) : IDisposable
{
    public const int MaxDataBytes = 16 * 1024;

    /// <summary>kubectl has two or five at a time; a browser's page through a port-forward has two for each of its connections.</summary>
    public const int MaxStreams = 256;

    private const int MaxControlBytes = 64 * 1024;
    private const int Version = 3;
    private const byte Final = 1;
    private const int ProtocolError = 1;
    private const int RefusedStream = 3;

    private readonly SpdyHeaders _headers = new();
    private readonly SemaphoreSlim _sending = new(1);
    private readonly Dictionary<int, SpdyStream> _streams = [];
    private readonly Channel<SpdyStream> _accepted = Channel.CreateBounded<SpdyStream>(MaxStreams);
    private int _lastStream;

    private enum FrameType
    {
        SynStream = 1,
        SynReply = 2,
        Reset = 3,
        Ping = 6,
        GoAway = 7,
        Headers = 8,
    }

    /// <summary>Streams as the client opens them; ends with the connection.</summary>
    public ChannelReader<SpdyStream> Accepted => _accepted.Reader;

    /// <summary>Takes what the client sends.</summary>
    /// <returns>When the client has gone.</returns>
    /// <exception cref="SpdyException">The client breaks the protocol; it has been told to go away.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var head = new byte[8];
        try
        {
            while (await transport.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken) == head.Length)
            {
                var length = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(4)) & 0xffffff;
                if (head[0] < 0x80)
                {
                    await TakeDataAsync(BinaryPrimitives.ReadInt32BigEndian(head), head[4], length, cancellationToken);
                }
                else if (length <= MaxControlBytes && (BinaryPrimitives.ReadUInt16BigEndian(head) & 0x7fff) == Version)
                {
                    var payload = new byte[length];
                    await transport.ReadExactlyAsync(payload, cancellationToken);
                    await TakeControlAsync(
                        (FrameType)BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(2)), head[4], payload, cancellationToken);
                }
                else
                {
                    throw new SpdyException($"a control frame of {length} bytes, or not of SPDY/{Version}");
                }
            }
        }
        catch (SpdyException)
        {
            await SayGoodbyeAsync(ProtocolError, cancellationToken);
            throw;
        }
        catch (Exception error) when (error is IOException or System.Net.WebSockets.WebSocketException)
        {
            // Gone without a word, which comes to the same.
        }
        finally
        {
            _accepted.Writer.TryComplete();
            foreach (var stream in Open())
            {
                stream.Abort();
            }
        }
    }

    /// <summary>Tells the client that no more of its streams will be taken.</summary>
    public Task SayGoodbyeAsync(int status, CancellationToken cancellationToken) =>
        SendAsync(Control(FrameType.GoAway, 0, Words(_lastStream, status)), cancellationToken);

    public Task ResetAsync(SpdyStream stream, CancellationToken cancellationToken) =>
        SendAsync(Control(FrameType.Reset, 0, Words(stream.Id, ProtocolError)), cancellationToken);

    public async Task SendDataAsync(int stream, ReadOnlyMemory<byte> bytes, bool isLast, CancellationToken cancellationToken)
    {
        var frame = new byte[8 + bytes.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, stream);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), bytes.Length);
        frame[4] = isLast ? Final : (byte)0;
        bytes.CopyTo(frame.AsMemory(8));
        await SendAsync(frame, cancellationToken);
    }

    /// <summary>Both sides are done with it.</summary>
    public void Forget(SpdyStream stream)
    {
        lock (_streams)
        {
            _streams.Remove(stream.Id);
        }

        stream.Abort();
    }

    public void Dispose() => _sending.Dispose();

    private SpdyStream[] Open()
    {
        lock (_streams)
        {
            return [.. _streams.Values];
        }
    }

    private SpdyStream? Find(int id)
    {
        lock (_streams)
        {
            return _streams.GetValueOrDefault(id);
        }
    }

    private async Task TakeDataAsync(int id, byte flags, int length, CancellationToken cancellationToken)
    {
        // Of a stream that has been left already there may be something on the way.
        var stream = Find(id);
        var buffer = new byte[Math.Min(length, MaxDataBytes)];
        while (length > 0)
        {
            var read = await transport.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, length)), cancellationToken);
            if (read == 0)
            {
                throw new EndOfStreamException();
            }

            length -= read;
            if (stream is not null)
            {
                await stream.TakeAsync(buffer.AsMemory(0, read), cancellationToken);
            }
        }

        if ((flags & Final) != 0)
        {
            stream?.EndOfInput();
        }
    }

    private async Task TakeControlAsync(FrameType type, byte flags, byte[] payload, CancellationToken cancellationToken)
    {
        var least = type switch { FrameType.SynStream => 10, FrameType.Reset => 8, FrameType.SynReply or FrameType.Headers => 4, _ => 0 };
        if (payload.Length < least)
        {
            throw new SpdyException($"a frame of type {type} with {payload.Length} bytes; it has at least {least}");
        }

        switch (type)
        {
            case FrameType.SynStream:
                await OpenAsync(payload, flags, cancellationToken);
                break;
            case FrameType.SynReply or FrameType.Headers:
                // Read for what they do to the compression that follows.
                _headers.Read(payload, offset: 4);
                break;
            case FrameType.Reset:
                Find(Id(payload))?.Abort();
                break;
            case FrameType.Ping when payload.Length == 4 && (payload[3] & 1) == 1:
                await SendAsync(Control(FrameType.Ping, 0, payload), cancellationToken);
                break;
        }
    }

    private async Task OpenAsync(byte[] payload, byte flags, CancellationToken cancellationToken)
    {
        var id = Id(payload);
        var stream = new SpdyStream(this, id, _headers.Read(payload, offset: 10));
        if (id <= _lastStream || id % 2 == 0)
        {
            throw new SpdyException($"stream {id} after stream {_lastStream}; a client's are odd and go up");
        }

        _lastStream = id;
        bool isTaken;
        lock (_streams)
        {
            isTaken = _streams.Count < MaxStreams && _accepted.Writer.TryWrite(stream);
            if (isTaken)
            {
                _streams[id] = stream;
            }
        }

        if (!isTaken)
        {
            await SendAsync(Control(FrameType.Reset, 0, Words(id, RefusedStream)), cancellationToken);
            return;
        }

        if ((flags & Final) != 0)
        {
            stream.EndOfInput();
        }

        await SendAsync(() => Control(FrameType.SynReply, 0, [.. Words(id), .. _headers.WriteEmpty()]), cancellationToken);
    }

    private static int Id(byte[] payload) => BinaryPrimitives.ReadInt32BigEndian(payload) & int.MaxValue;

    private static byte[] Words(params ReadOnlySpan<int> numbers)
    {
        var bytes = new byte[4 * numbers.Length];
        for (var i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 * i), numbers[i]);
        }

        return bytes;
    }

    private static byte[] Control(FrameType type, byte flags, byte[] payload)
    {
        var frame = new byte[8 + payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(frame, 0x8000 | Version);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)type);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), payload.Length);
        frame[4] = flags;
        payload.CopyTo(frame, 8);
        return frame;
    }

    private Task SendAsync(byte[] frame, CancellationToken cancellationToken) => SendAsync(() => frame, cancellationToken);

    // A frame with headers is made in its turn: the order of compression is the order on the wire.
    private async Task SendAsync(Func<byte[]> frame, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            await transport.WriteAsync(frame(), cancellationToken);
            await transport.FlushAsync(cancellationToken);
        }
        finally
        {
            _sending.Release();
        }
    }
}
