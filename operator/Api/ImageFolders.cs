namespace Cluster.Operator.Api;

/// <summary>The folders from which the worker's image runs code and reads what to load. A volume over one of them is another
/// program.</summary>
internal static class ImageFolders
{
    private static readonly HashSet<string> Roots = new(StringComparer.Ordinal)
    {
        "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "opt", "proc", "root", "sbin", "sys", "usr",
    };

    // Certificates, and memory that ranks share: no code is loaded from there.
    private static readonly string[] Beside = ["/etc/ssl/", "/etc/pki/", "/dev/shm/"];

    /// <summary>Whether a mount there covers any of it. A path that is not spelled plainly does.</summary>
    public static bool Covers(string? mountPath)
    {
        if (mountPath is null || !mountPath.StartsWith('/'))
        {
            return true;
        }

        var path = mountPath.TrimEnd('/');
        var parts = path.Split('/')[1..];
        return parts.Length == 0
            || parts.Any(part => part is "" or "." or ".." || part.Contains('\\', StringComparison.Ordinal) || part.Any(char.IsControl))
            || (Roots.Contains(parts[0]) && !Array.Exists(Beside, folder => (path + "/").StartsWith(folder, StringComparison.Ordinal)));
    }
}
