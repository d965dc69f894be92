using System.Buffers.Binary;
using System.Text;
using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.Zip.Compression;

namespace Cluster.Operator.Local.ApiServer.Spdy;

/// <summary>Header blocks of one connection. Each direction is one zlib stream, so blocks have to be read and written in the order of their
/// frames.
/// <code>inflated: count | (length | name | length | value) …       all numbers 32 bits, big-endian</code></summary>
internal sealed class SpdyHeaders
{
    /// <summary>A real client sends three short headers.</summary>
    public const int MaxBytes = 16 * 1024;

    private const int MaxCount = 64;

    private readonly Inflater _inflater = new();
    private readonly byte[] _inflated = new byte[MaxBytes];
    private bool _hasWritten;

    /// <exception cref="SpdyException">The block is malformed or too large.</exception>
    public Dictionary<string, string> Read(byte[] block, int offset)
    {
        var bytes = Inflate(block, offset);
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var count = Number(ref bytes);
        if (count > MaxCount)
        {
            throw new SpdyException($"a header block of {count} headers; at most {MaxCount} are read");
        }

        for (var i = 0; i < count; i++)
        {
            var name = Text(ref bytes);
            headers[name] = Text(ref bytes);
        }

        return headers;
    }

    /// <summary>A block without headers, which is all that an answer needs, stored. An empty block follows: Go's decoder hands out what it
    /// has only then, and waits for more otherwise.
    /// <code>78 01 (once) | 00: stored, not the last | length 4, little-endian | its complement | count 0 | 00 | 0 | its complement</code>
    /// </summary>
    public byte[] WriteEmpty()
    {
        ReadOnlySpan<byte> stored = [0x00, 0x04, 0x00, 0xfb, 0xff, 0, 0, 0, 0, 0x00, 0x00, 0x00, 0xff, 0xff];
        byte[] block = _hasWritten ? [.. stored] : [0x78, 0x01, .. stored];
        _hasWritten = true;
        return block;
    }

    private ReadOnlySpan<byte> Inflate(byte[] block, int offset)
    {
        var length = 0;
        try
        {
            _inflater.SetInput(block, offset, block.Length - offset);
            while (true)
            {
                var read = _inflater.Inflate(_inflated, length, _inflated.Length - length);
                length += read;
                if (length == _inflated.Length)
                {
                    throw new SpdyException($"a header block of more than {MaxBytes} bytes");
                }

                if (_inflater.IsNeedingDictionary)
                {
                    _inflater.SetDictionary(SpdyDictionary.Bytes);
                }
                else if (read == 0)
                {
                    return _inflated.AsSpan(0, length);
                }
            }
        }
        catch (Exception error) when (error is SharpZipBaseException or IndexOutOfRangeException or ArgumentException)
        {
            // The library checks some of its tables by their bounds alone.
            throw new SpdyException($"a header block cannot be inflated: {error.Message}");
        }
    }

    private static int Number(ref ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 4 || BinaryPrimitives.ReadInt32BigEndian(bytes) is not (>= 0 and var number))
        {
            throw new SpdyException("a header block ends in the middle of a number");
        }

        bytes = bytes[4..];
        return number;
    }

    private static string Text(ref ReadOnlySpan<byte> bytes)
    {
        var length = Number(ref bytes);
        if (length > bytes.Length)
        {
            throw new SpdyException("a header block ends in the middle of a header");
        }

        var text = Encoding.UTF8.GetString(bytes[..length]);
        bytes = bytes[length..];
        return text;
    }
}
