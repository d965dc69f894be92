using System.Security.Cryptography;

namespace Cluster.Worker.Models.Sources;

/// <summary>The <c>.incomplete</c> file of a content, hashed as it grows, so that a finished one need not be read again. Owned by one <see cref="BlobDownload"/>, under its lock.</summary>
internal sealed class PartialBlob : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly FileStream file;
    private readonly BlobId blob;
    private readonly long size;
    private IncrementalHash hasher;

    private PartialBlob(FileStream file, BlobId blob, long size)
    {
        this.file = file;
        this.blob = blob;
        this.size = size;
        hasher = blob.CreateHasher(size);
    }

    /// <summary>Bytes there; at most the content's size.</summary>
    public long Length { get; private set; }

    /// <summary>Opens what an earlier download left and hashes it, or starts empty.</summary>
    /// <param name="size">Bytes of the whole content.</param>
    public static async Task<PartialBlob> OpenAsync(string path, BlobId blob, long size, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var partial = new PartialBlob(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous), blob, size);
        try
        {
            await partial.ResumeAsync(cancellationToken).ConfigureAwait(false);
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
        await file.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        hasher.AppendData(bytes.Span);
        Length += bytes.Length;
    }

    /// <summary>Forgets everything that came.</summary>
    public void Reset()
    {
        file.SetLength(0);
        file.Position = 0;
        hasher.Dispose();
        hasher = blob.CreateHasher(size);
        Length = 0;
    }

    /// <summary>Ends the hash of a whole content and puts it safely on the disk where it is right.</summary>
    /// <returns>The content's actual hash, in hexadecimal.</returns>
    public string Finish()
    {
        var actual = Convert.ToHexStringLower(hasher.GetHashAndReset());
        if (actual == blob.Hex)
        {
            // A name in blobs/ vouches for the content, also after a power failure.
            file.Flush(flushToDisk: true);
        }

        return actual;
    }

    public void Dispose()
    {
        file.Dispose();
        hasher.Dispose();
    }

    private async Task ResumeAsync(CancellationToken cancellationToken)
    {
        if (file.Length > size)
        {
            Reset();
            return;
        }

        var buffer = new byte[(int)Math.Min(BufferBytes, file.Length)];
        while (buffer.Length > 0 && await file.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var read)
        {
            hasher.AppendData(buffer.AsSpan(0, read));
            Length += read;
        }
    }
}
