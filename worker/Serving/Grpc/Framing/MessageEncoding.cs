using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>Message compression: <c>grpc-encoding</c> and <c>grpc-accept-encoding</c> (gRPC <c>doc/compression.md</c>).</summary>
internal static class MessageEncoding
{
    public const string Identity = "identity";
    public const string Gzip = "gzip";

    /// <summary>What this server takes, as <c>grpc-accept-encoding</c> lists it.</summary>
    public const string Accepted = "identity,gzip";

    /// <summary>Header and trailer of a gzip member.</summary>
    private const int MinGzipBytes = 18;

    /// <summary>True when the request's messages may be gzip, false when they are plain.</summary>
    /// <exception cref="GrpcException">UNIMPLEMENTED for an encoding this server does not know.</exception>
    public static bool RequestUsesGzip(IHeaderDictionary headers) => headers["grpc-encoding"].ToString() switch
    {
        "" or Identity => false,
        Gzip => true,
        var other => throw new GrpcException(StatusCode.Unimplemented, $"grpc-encoding '{other}' is not supported; supported: {Accepted}"),
    };

    /// <summary>Whether the client lists gzip among the encodings it can read.</summary>
    public static bool ClientAcceptsGzip(IHeaderDictionary headers) =>
        headers["grpc-accept-encoding"].Any(value => Lists(value, Gzip));

    /// <summary>Whether a comma-separated header value names an item.</summary>
    public static bool Lists(StringSegment value, string item) =>
        new StringTokenizer(value, [',']).Any(part => part.Trim().Equals(item, StringComparison.OrdinalIgnoreCase));

    /// <summary>Unpacks one message.</summary>
    /// <param name="maxBytes">Largest message to produce; expansion stops there, however much the input would still yield.</param>
    /// <exception cref="GrpcException">RESOURCE_EXHAUSTED past the limit, INTERNAL when the input is not gzip.</exception>
    public static ReadOnlySequence<byte> Decompress(ReadOnlySequence<byte> compressed, int maxBytes)
    {
        var unpacked = new ArrayBufferWriter<byte>();
        try
        {
            using var gzip = new GZipStream(new MemoryStream(compressed.ToArray(), writable: false), CompressionMode.Decompress);
            int read;
            while ((read = gzip.Read(unpacked.GetSpan(4096))) > 0)
            {
                unpacked.Advance(read);
                if (unpacked.WrittenCount > maxBytes)
                {
                    throw new GrpcException(StatusCode.ResourceExhausted, $"request message is more than {maxBytes} bytes after decompression, the limit");
                }
            }
        }
        catch (InvalidDataException exception)
        {
            throw new GrpcException(StatusCode.Internal, "request message has the compressed flag but is not valid gzip", exception);
        }

        // GZipStream takes a cut-off stream for its end; the size in gzip's last four bytes (RFC 1952, ISIZE) tells.
        return compressed.Length >= MinGzipBytes && OriginalSize(compressed) == (uint)unpacked.WrittenCount
            ? new ReadOnlySequence<byte>(unpacked.WrittenMemory)
            : throw new GrpcException(StatusCode.Internal, "request message has the compressed flag but its gzip data is incomplete");
    }

    /// <summary>Packs one message; the caller owns the stream.</summary>
    public static MemoryStream Compress(ReadOnlySpan<byte> message)
    {
        var packed = new MemoryStream(message.Length / 2);
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(message);
        }

        return packed;
    }

    private static uint OriginalSize(ReadOnlySequence<byte> compressed)
    {
        Span<byte> size = stackalloc byte[sizeof(uint)];
        compressed.Slice(compressed.Length - sizeof(uint)).CopyTo(size);
        return BinaryPrimitives.ReadUInt32LittleEndian(size);
    }
}
