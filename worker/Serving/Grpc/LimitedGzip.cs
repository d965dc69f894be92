using System.Buffers.Binary;
using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;

namespace Cluster.Worker.Serving.Grpc;

/// <summary>Message compression by gzip (gRPC <c>doc/compression.md</c>). The library's own provider expands whatever it is sent; this one
/// stops at the message size limit and finds messages that were cut off.</summary>
internal sealed class LimitedGzip(int maxMessageBytes) : ICompressionProvider
{
    public const string Name = "gzip";

    /// <summary>Request header that names the encoding of the call's packed messages.</summary>
    public const string Header = "grpc-encoding";

    /// <summary>Header and trailer of a gzip member.</summary>
    private const int MinGzipBytes = 18;

    public string EncodingName => Name;

    public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel) =>
        new GZipStream(stream, compressionLevel ?? CompressionLevel.Fastest, leaveOpen: true);

    /// <returns>The whole message, unpacked.</returns>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED past the limit, INTERNAL when the input is not gzip.</exception>
    public Stream CreateDecompressionStream(Stream stream)
    {
        using var packed = new MemoryStream();
        stream.CopyTo(packed);
        packed.Position = 0;
        var unpacked = new MemoryStream();
        var piece = new byte[16 * 1024];
        try
        {
            using var gzip = new GZipStream(packed, CompressionMode.Decompress, leaveOpen: true);
            int read;
            while ((read = gzip.Read(piece)) > 0)
            {
                unpacked.Write(piece, 0, read);
                if (unpacked.Length > maxMessageBytes)
                {
                    throw CallFailures.Error(
                        StatusCode.ResourceExhausted,
                        $"request message is more than {maxMessageBytes} bytes after decompression, the limit");
                }
            }
        }
        catch (InvalidDataException)
        {
            throw CallFailures.Error(StatusCode.Internal, "request message has the compressed flag but is not valid gzip");
        }

        // GZipStream takes a cut-off stream for its end; the size in gzip's last four bytes (RFC 1952, ISIZE) tells.
        if (packed.Length < MinGzipBytes || OriginalSize(packed) != (uint)unpacked.Length)
        {
            throw CallFailures.Error(StatusCode.Internal, "request message has the compressed flag but its gzip data is incomplete");
        }

        unpacked.Position = 0;
        return unpacked;
    }

    private static uint OriginalSize(MemoryStream packed) =>
        BinaryPrimitives.ReadUInt32LittleEndian(packed.GetBuffer().AsSpan((int)packed.Length - sizeof(uint)));
}
