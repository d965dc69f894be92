namespace Cluster.Common.Files;

/// <summary>Tells a full disk from other failures and says it in numbers.</summary>
internal static class DiskFull
{
    // errno of Linux: the file may not grow beyond a limit of the process, no space left, beyond the user's share.
    private const int FileTooLarge = 27;
    private const int NoSpaceLeft = 28;
    private const int OverQuota = 122;

    // ERROR_DISK_FULL of Windows.
    private const int WindowsDiskFull = unchecked((int)0x80070070);

    public static bool Is(Exception exception) =>
        exception is IOException { HResult: FileTooLarge or NoSpaceLeft or OverQuota or WindowsDiskFull };

    /// <summary>What went wrong; of a full disk with what is needed and what there is.</summary>
    /// <param name="path">The file that was written.</param>
    /// <param name="needed">Bytes that it needs.</param>
    public static string Explain(string path, long needed, Exception exception)
    {
        if (!Is(exception))
        {
            return exception.Message;
        }

        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var reason = exception.HResult switch
        {
            FileTooLarge => "a limit on the size of files is reached",
            OverQuota => "the quota of disk space is used up",
            _ => "the disk is full",
        };
        return $"{reason}: {Size(needed)} are needed in {folder}, {Size(new DriveInfo(folder).AvailableFreeSpace)} are free";
    }

    /// <summary>A size as people say it.</summary>
    public static string Size(long bytes) => FormattableString.Invariant(bytes switch
    {
        >= 1 << 30 => (FormattableString)$"{bytes / (double)(1 << 30):F1} GiB",
        >= 1 << 20 => $"{bytes / (double)(1 << 20):F1} MiB",
        _ => $"{bytes} bytes",
    });
}
