using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Google.Protobuf;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>Takes length-prefixed messages out of a request body.
/// <code>
/// +------------+----------------------+------------------+
/// | flag 1 B   | length 4 B, big end. | length bytes     |  again for the next message
/// +------------+----------------------+------------------+
///   0 plain, 1 packed with grpc-encoding
/// </code></summary>
/// <param name="maxMessageBytes">Checked against the prefix, before anything is buffered for the message.</param>
/// <param name="gzip">Whether the request declared <c>grpc-encoding: gzip</c>.</param>
internal sealed class MessageReader(PipeReader body, int maxMessageBytes, bool gzip)
{
    public const int PrefixBytes = 5;

    /// <summary>The next message, or null at the end of the body.</summary>
    /// <exception cref="GrpcException">The body is not a sequence of messages, or a message is too large or not <typeparamref name="T"/>.</exception>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        while (true)
        {
            var result = await body.ReadAsync(cancellationToken);
            var buffer = result.Buffer;
            if (TryTake(ref buffer, out var compressed, out var payload))
            {
                var message = Parse(parser, compressed ? MessageEncoding.Decompress(payload, maxMessageBytes) : payload);
                body.AdvanceTo(buffer.Start);
                return message;
            }

            if (result.IsCompleted)
            {
                return buffer.IsEmpty
                    ? null
                    : throw new GrpcException(StatusCode.Internal, $"request body ends inside a message, after {buffer.Length} of its bytes");
            }

            body.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    /// <summary>The one message of a call that has exactly one, after seeing the body end.</summary>
    /// <exception cref="GrpcException">As <see cref="ReadAsync"/>; UNIMPLEMENTED for no message or more than one, as gRPC's table of status codes has it.</exception>
    public async ValueTask<T> ReadSingleAsync<T>(MessageParser<T> parser, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        var message = await ReadAsync(parser, cancellationToken)
            ?? throw new GrpcException(StatusCode.Unimplemented, "request has no message; this method takes exactly one");
        while (true)
        {
            var result = await body.ReadAsync(cancellationToken);
            if (!result.Buffer.IsEmpty)
            {
                throw new GrpcException(StatusCode.Unimplemented, "request has more than one message; this method takes exactly one");
            }

            if (result.IsCompleted)
            {
                return message;
            }

            body.AdvanceTo(result.Buffer.Start);
        }
    }

    /// <summary>Cuts one whole message off the front of the buffer; false when more bytes are needed.</summary>
    private bool TryTake(ref ReadOnlySequence<byte> buffer, out bool compressed, out ReadOnlySequence<byte> payload)
    {
        compressed = false;
        payload = default;
        if (buffer.Length < PrefixBytes)
        {
            return false;
        }

        Span<byte> prefix = stackalloc byte[PrefixBytes];
        buffer.Slice(0, PrefixBytes).CopyTo(prefix);
        compressed = prefix[0] switch
        {
            0 => false,
            1 when gzip => true,
            1 => throw new GrpcException(StatusCode.Internal, "request message has the compressed flag but the request names no grpc-encoding"),
            var flag => throw new GrpcException(StatusCode.Internal, $"request message has flag byte {flag}; 0 and 1 are defined"),
        };
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        if (length > maxMessageBytes)
        {
            throw new GrpcException(StatusCode.ResourceExhausted, $"request message is {length} bytes; the limit is {maxMessageBytes}");
        }

        if (buffer.Length < PrefixBytes + length)
        {
            return false;
        }

        payload = buffer.Slice(PrefixBytes, length);
        buffer = buffer.Slice(payload.End);
        return true;
    }

    private static T Parse<T>(MessageParser<T> parser, ReadOnlySequence<byte> payload)
        where T : class, IMessage<T>
    {
        try
        {
            var message = parser.ParseFrom(payload);
            Utf8Texts.Require(message.Descriptor, payload.ToArray());
            return message;
        }
        catch (InvalidProtocolBufferException exception)
        {
            throw new GrpcException(StatusCode.Internal, $"request message is not a valid {typeof(T).Name}: {exception.Message}", exception);
        }
    }
}
