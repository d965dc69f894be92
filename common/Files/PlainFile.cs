namespace Cluster.Common.Files;

/// <summary>Opens files under names that others can guess, in folders where others may be able to write. What was planted there, a link to
/// another file or a second name of one, is removed and never followed.</summary>
internal static class PlainFile
{
    /// <exception cref="IOException">It cannot be opened, or was swapped meanwhile.</exception>
    public static FileStream OpenOrCreate(string path, FileShare share, FileOptions how)
    {
        if (FileStatus.Of(path) is { } found && found is not { IsFile: true, Links: 1 })
        {
            File.Delete(path);
        }

        var options = new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = share,
            BufferSize = 0,
            Options = how,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode =
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        }

        var file = new FileStream(path, options);
        if (FileStatus.Of(file.SafeFileHandle) is { } opened && FileStatus.Of(path) != opened)
        {
            file.Dispose();
            throw new IOException($"'{path}' is a link, or was swapped while it was opened; expected a file of its own");
        }

        return file;
    }
}
