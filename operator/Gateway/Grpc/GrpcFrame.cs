using System.Buffers.Binary;
using System.IO.Compression;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Relay;

namespace Cluster.Operator.Gateway.Grpc;

/// <summary>Messages of gRPC over HTTP/2, each in a frame:
/// <code>compressed (1 byte) │ length (4 bytes, big endian) │ message</code></summary>
internal static class GrpcFrame
{
    public const int HeaderBytes = 5;

    public static byte[] Write(ReadOnlySpan<byte> message)
    {
        var frame = new byte[HeaderBytes + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame.AsSpan(HeaderBytes));
        return frame;
    }

    /// <summary>The one message of a body.</summary>
    /// <param name="encoding">The header <c>grpc-encoding</c>.</param>
    /// <exception cref="GatewayException">The body is none, or in an encoding that is not known.</exception>
    public static byte[] Only(ReadOnlySpan<byte> body, string? encoding, int mostBytes)
    {
        if (body.Length < HeaderBytes
            || BinaryPrimitives.ReadUInt32BigEndian(body[1..]) != (uint)(body.Length - HeaderBytes)
            || body[0] > 1)
        {
            throw GatewayException.BadRequest("the call must have exactly one message");
        }

        var message = body[HeaderBytes..].ToArray();
        if (body[0] == 0)
        {
            return message;
        }

        if (encoding != "gzip")
        {
            throw new GatewayException(
                StatusCodes.Status501NotImplemented, $"the message is encoded as '{encoding}'; this gateway knows gzip",
                "invalid_request_error");
        }

        return Unzip(message, mostBytes);
    }

    private static byte[] Unzip(byte[] message, int mostBytes)
    {
        using var zip = new GZipStream(new MemoryStream(message), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        var buffer = new byte[16 << 10];
        try
        {
            for (int read; (read = zip.Read(buffer)) > 0;)
            {
                plain.Write(buffer, 0, read);
                if (plain.Length > mostBytes)
                {
                    throw new GatewayException(
                        StatusCodes.Status413PayloadTooLarge,
                        $"the message is larger than the {mostBytes} bytes that this gateway takes (--max-request-bytes)",
                        "invalid_request_error");
                }
            }
        }
        catch (InvalidDataException wrong)
        {
            throw GatewayException.BadRequest($"the message is no gzip: {wrong.Message}");
        }

        return plain.ToArray();
    }
}

/// <summary>Cuts a worker's stream into whole messages. Used by <see cref="GrpcRelay"/>.</summary>
internal sealed class GrpcFrameReader
{
    private const int MostMessageBytes = 64 << 20;

    private byte[] _buffer = new byte[16 << 10];
    private int _start;
    private int _end;

    public bool IsTorn => _end > _start;

    public Memory<byte> Room()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_end, _start) = (_end - _start, 0);
        }

        if (_buffer.Length - _end < 4096)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        return _buffer.AsMemory(_end);
    }

    public void Added(int count) => _end += count;

    /// <param name="frame">With its header. Valid until the next <see cref="Room"/>.</param>
    /// <exception cref="GarbledReplyException">It is no frame that a worker sends.</exception>
    public bool TryRead(out ReadOnlyMemory<byte> frame)
    {
        frame = default;
        if (_end - _start < GrpcFrame.HeaderBytes)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(_start + 1));
        if (_buffer[_start] != 0 || length > MostMessageBytes)
        {
            throw new GarbledReplyException($"a message has {length} bytes, or is compressed although nobody asked for it");
        }

        var whole = GrpcFrame.HeaderBytes + (int)length;
        if (_end - _start < whole)
        {
            return false;
        }

        frame = _buffer.AsMemory(_start, whole);
        _start += whole;
        return true;
    }
}
