using System.Security.Cryptography;

namespace Cluster.Worker.Models.Sources;

/// <summary>The <c>.incomplete</c> file of a content, hashed as it grows, so that a finished one need not be read again. Owned by one
/// <see cref="BlobDownload"/>, under its lock.</summary>
internal sealed class PartialBlob : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly FileStream _file;
    private readonly BlobId _blob;
    private readonly long _size;
    private IncrementalHash _hasher;

    private PartialBlob(FileStream file, BlobId blob, long size)
    {
        _file = file;
        _blob = blob;
        _size = size;
        _hasher = blob.CreateHasher(size);
    }

    /// <summary>Bytes there; at most the content's size.</summary>
    public long Length { get; private set; }

    /// <summary>Opens what an earlier download left and hashes it, or starts empty.</summary>
    /// <param name="size">Bytes of the whole content.</param>
    public static async Task<PartialBlob> OpenAsync(string path, BlobId blob, long size, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var partial = new PartialBlob(PlainFile.OpenOrCreate(path, FileShare.Read, FileOptions.Asynchronous), blob, size);
        try
        {
            await partial.ResumeAsync(cancellationToken);
            return partial;
        }
        catch
        {
            partial.Dispose();
            throw;
        }
    }

    /// <exception cref="IOException">The disk is full or failed.</exception>
    public async Task AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _file.WriteAsync(bytes, cancellationToken);
        _hasher.AppendData(bytes.Span);
        Length += bytes.Length;
    }

    /// <summary>Forgets everything that came.</summary>
    public void Reset()
    {
        _file.SetLength(0);
        _file.Position = 0;
        _hasher.Dispose();
        _hasher = _blob.CreateHasher(_size);
        Length = 0;
    }

    /// <summary>Ends the hash of a whole content and puts it safely on the disk where it is right.</summary>
    /// <returns>The content's actual hash, in hexadecimal.</returns>
    public string Finish()
    {
        var actual = Convert.ToHexStringLower(_hasher.GetHashAndReset());
        if (actual == _blob.Hex)
        {
            // A name in blobs/ vouches for the content, also after a power failure.
            _file.Flush(flushToDisk: true);
        }

        return actual;
    }

    public void Dispose()
    {
        _file.Dispose();
        _hasher.Dispose();
    }

    private async Task ResumeAsync(CancellationToken cancellationToken)
    {
        if (_file.Length > _size)
        {
            Reset();
            return;
        }

        var buffer = new byte[(int)Math.Min(BufferBytes, _file.Length)];
        while (buffer.Length > 0 && await _file.ReadAsync(buffer, cancellationToken) is > 0 and var read)
        {
            _hasher.AppendData(buffer.AsSpan(0, read));
            Length += read;
        }
    }
}
