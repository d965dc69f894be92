using System.Text;

namespace Cluster.Common.Files;

/// <summary>Writes files of which nobody ever sees a half: a full disk, a killed process or a reader at the same time find the file as it
/// was before, or whole.</summary>
internal static class WholeFile
{
    private const UnixFileMode Default =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>A file that its user asked for by name. What is no file (<c>/dev/stdout</c>, a pipe) is written as it stands, and of a link
    /// the file that it leads to is replaced.</summary>
    /// <exception cref="IOException">It cannot be written: names the file.</exception>
    public static async Task WriteNamedAsync(string path, string text, CancellationToken cancellationToken)
    {
        if (new FileInfo(path).LinkTarget is not null)
        {
            path = File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
        }

        if (FileStatus.Of(path) is { IsFile: false })
        {
            await File.WriteAllTextAsync(path, text, cancellationToken);
            return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            Write(path, Encoding.UTF8.GetBytes(text));
        }
        catch (IOException exception) when (exception.InnerException is UnauthorizedAccessException && File.Exists(path))
        {
            // A file that may be written in a folder that may not: there is no beside.
            await File.WriteAllTextAsync(path, text, cancellationToken);
        }
    }

    /// <summary>Replaces what has the name, also where that is a link.</summary>
    /// <param name="mode">Who may read it, less what the process's umask takes; null for everybody.</param>
    /// <exception cref="IOException">It cannot be written; nothing is left behind, and what was there stays.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes, UnixFileMode? mode = null)
    {
        // Nobody can guess the name, and what has it already is never opened.
        var partial = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, $".{Guid.NewGuid():N}");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = mode ?? Default;
        }

        try
        {
            using (var file = new FileStream(partial, options))
            {
                file.Write(bytes);
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
                throw new IOException($"cannot write '{path}': {DiskFull.Explain(path, bytes.Length, exception)}", exception);
            }

            throw;
        }
    }
}
