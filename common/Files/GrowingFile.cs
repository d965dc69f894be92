namespace Cluster.Common.Files;

/// <summary>Writes a file that is too large for memory, under another name until it is whole: like <see cref="WholeFile"/>, nobody ever
/// sees a half.</summary>
internal static class GrowingFile
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Replaces what has the name.</summary>
    /// <param name="length">Bytes that it will have, for the message about a full disk.</param>
    /// <exception cref="IOException">It cannot be written; nothing is left behind, and what was there stays.</exception>
    public static void Write(string path, long length, Action<Stream> write)
    {
        var partial = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, $".{Guid.NewGuid():N}");
        try
        {
            using (var file = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes))
            {
                write(file);
            }

            File.Move(partial, path, overwrite: true);
        }
        catch (Exception exception)
        {
            if (File.Exists(partial))
            {
                File.Delete(partial);
            }

            if (exception is IOException or UnauthorizedAccessException)
            {
                throw new IOException($"cannot write '{path}': {DiskFull.Explain(path, length, exception)}", exception);
            }

            throw;
        }
    }
}
