using System.Buffers.Binary;
using System.Text;
using Cluster.Operator.Local.ApiServer.Spdy;
using ICSharpCode.SharpZipLib.Zip.Compression;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>The frames of a client of SPDY/3.1, byte by byte, and a reader of those of a server.</summary>
internal sealed class SpdyClient(Stream transport)
{
    private readonly Deflater _deflater = NewDeflater();
    private int _last = -1;

    public async Task<int> OpenAsync(params (string Name, string Value)[] headers)
    {
        _last += 2;
        await SendAsync(0x8003_0001, 0, [.. Word(_last), .. Word(0), 0, 0, .. Block(headers)]);
        return _last;
    }

    public Task DataAsync(int stream, byte[] bytes, bool isLast = false) => SendAsync((uint)stream, isLast ? (byte)1 : (byte)0, bytes);

    public Task PingAsync(int id) => SendAsync(0x8003_0006, 0, Word(id));

    public Task ResetAsync(int stream) => SendAsync(0x8003_0003, 0, [.. Word(stream), .. Word(5)]);

    public async Task SendAsync(uint first, byte flags, byte[] payload)
    {
        await transport.WriteAsync((byte[])[.. Word((int)first), .. Word(payload.Length | (flags << 24)), .. payload]);
        await transport.FlushAsync();
    }

    /// <summary>A header block; blocks of one client are one compressed stream.</summary>
    public byte[] Block(params (string Name, string Value)[] headers)
    {
        var plain = new List<byte>(Word(headers.Length));
        foreach (var text in headers.SelectMany(header => new[] { header.Name, header.Value }))
        {
            plain.AddRange(Word(text.Length));
            plain.AddRange(Encoding.ASCII.GetBytes(text));
        }

        _deflater.SetInput([.. plain]);
        _deflater.Flush();
        var block = new byte[plain.Count + 1024];
        var written = 0;
        while (_deflater.Deflate(block, written, block.Length - written) is > 0 and var length)
        {
            written += length;
        }

        return block[..written];
    }

    /// <returns>Null at the end. The type is 0 for data.</returns>
    public async Task<(int Type, int Stream, byte Flags, byte[] Payload)?> ReadAsync()
    {
        var head = new byte[8];
        if (await transport.ReadAtLeastAsync(head, 8, throwOnEndOfStream: false) < 8)
        {
            return null;
        }

        var payload = new byte[BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(4)) & 0xffffff];
        await transport.ReadExactlyAsync(payload);
        return head[0] < 0x80
            ? (0, BinaryPrimitives.ReadInt32BigEndian(head), head[4], payload)
            : (BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(2)),
                payload.Length >= 4 ? BinaryPrimitives.ReadInt32BigEndian(payload) : 0, head[4], payload);
    }

    private static byte[] Word(int number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        return bytes;
    }

    private static Deflater NewDeflater()
    {
        var deflater = new Deflater();
        deflater.SetDictionary(SpdyDictionary.Bytes);
        return deflater;
    }
}
