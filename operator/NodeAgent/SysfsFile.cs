using System.Text;

namespace Cluster.Operator.NodeAgent;

/// <summary>Small text files of sysfs and procfs. Called by <see cref="KfdTopology"/> and <see cref="NumaBalancingSwitch"/>.</summary>
internal static class SysfsFile
{
    /// <summary>sysfs hands out at most one page; a file system that hands out more is not one, and is not read to its end.</summary>
    private const int MaxBytes = 64 << 10;

    /// <returns>The text without surrounding white space; null when there is no such file.</returns>
    /// <exception cref="UnauthorizedAccessException">The kernel keeps it from this process: permissions, or the container's device
    /// cgroup.</exception>
    /// <exception cref="IOException">It could not be read for another reason.</exception>
    public static string? Read(string path)
    {
        try
        {
            using var handle = File.OpenHandle(path);
            var bytes = new byte[MaxBytes];
            var length = 0;
            for (var count = -1; count != 0 && length < MaxBytes; length += count)
            {
                count = RandomAccess.Read(handle, bytes.AsSpan(length), length);
            }

            return Encoding.UTF8.GetString(bytes.AsSpan(0, length)).Trim();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <returns>As <see cref="Read"/>, but null also for what this process may not or cannot read.</returns>
    public static string? ReadIfAllowed(string path)
    {
        try
        {
            return Read(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes a value as <c>echo</c> does, in one call: a sysctl takes it whole or refuses it.</summary>
    /// <exception cref="UnauthorizedAccessException">Not allowed: not privileged, or mounted read-only.</exception>
    /// <exception cref="IOException">There is no such file, or the kernel refuses the value.</exception>
    public static void Write(string path, string value)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(handle, Encoding.UTF8.GetBytes(value + "\n"), 0);
    }
}
