using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Google.Protobuf;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>Puts length-prefixed messages into a response body; the layout is <see cref="MessageReader"/>'s.</summary>
/// <param name="gzip">Whether the response declared <c>grpc-encoding: gzip</c>; each message still says by its flag whether it is packed.</param>
/// <param name="minCompressedBytes">Smaller messages stay plain.</param>
internal sealed class MessageWriter(PipeWriter body, bool gzip, int minCompressedBytes)
{
    /// <summary>Serializes straight into the pipe. Nothing is sent before the pipe is flushed or completed.</summary>
    public void Write(IMessage message)
    {
        var size = message.CalculateSize();
        if (gzip && size >= minCompressedBytes)
        {
            using var packed = MessageEncoding.Compress(message.ToByteArray());
            WritePrefix(compressed: true, (int)packed.Length);
            body.Write(packed.GetBuffer().AsSpan(0, (int)packed.Length));
            return;
        }

        WritePrefix(compressed: false, size);
        message.WriteTo(body);
    }

    /// <summary>Sends what was written; waits while the client's flow-control window is full.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        var result = await body.FlushAsync(cancellationToken);
        if (result.IsCompleted || result.IsCanceled)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new OperationCanceledException("the client has gone");
        }
    }

    private void WritePrefix(bool compressed, int length)
    {
        var prefix = body.GetSpan(MessageReader.PrefixBytes);
        prefix[0] = compressed ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32BigEndian(prefix[1..], (uint)length);
        body.Advance(MessageReader.PrefixBytes);
    }
}
