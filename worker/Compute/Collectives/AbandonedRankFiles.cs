using Microsoft.Win32.SafeHandles;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>Files of groups whose ranks were all killed before the last had joined. Removed by <see cref="RankFile.Create"/>, so by the
/// next group.</summary>
internal static class AbandonedRankFiles
{
    /// <summary>Far longer than rank 0 is between making its file and locking it.</summary>
    private static readonly TimeSpan TimeToLock = TimeSpan.FromMinutes(1);

    /// <summary>Leaves alone what is in use, another user's, or no group's file: others may write to the directory, too.</summary>
    public static void Remove(string directory)
    {
        foreach (var path in Directory.EnumerateFiles(directory, RankFile.NamePrefix + "*"))
        {
            try
            {
                using var file = SharedFile.TryOpen(path);
                if (file is not null && IsAbandoned(file))
                {
                    File.Delete(path);
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
            {
                // Not this user's to remove.
            }
        }
    }

    /// <summary>Rank 0 holds its lock before the file is whole, so a whole file without it belongs to nobody, and so does one that has
    /// stayed without both.</summary>
    private static bool IsAbandoned(SafeFileHandle file) =>
        !RankLock.IsHeld(file, 0) && (RankFileHeader.TryRead(file, out _) || File.GetLastWriteTimeUtc(file) + TimeToLock < DateTime.UtcNow);
}
