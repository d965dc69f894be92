using System.Text;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>The arguments of a command for this machine. A <c>tar</c> that packs what is in a mount, as <c>kubectl cp</c> from a pod does,
/// would write the names of this machine into the archive; it is told to write those that the container sees.</summary>
internal static class ArchiveNames
{
    private const char Delimiter = ',';

    public static IEnumerable<string> Arguments(IReadOnlyList<string> command, ContainerSpec spec)
    {
        var mapped = command.Skip(1).Select(spec.MapPath).ToList();
        var isArchive = Path.GetFileName(command[0]) == "tar" && !command.Contains("--");
        foreach (var argument in mapped)
        {
            yield return argument;
        }

        if (!isArchive)
        {
            yield break;
        }

        for (var i = 0; i < mapped.Count; i++)
        {
            if (mapped[i] != command[i + 1]
                && spec.Mounts.FirstOrDefault(mount => Covers(mount.MountPath, command[i + 1])) is { HostPath: { } folder } mount)
            {
                // Names in archives are without the first slash. S: what links point to stays.
                yield return $"--transform=s{Delimiter}^{Pattern(folder.TrimStart('/'))}{Delimiter}"
                    + $"{Replacement(mount.MountPath.TrimStart('/'))}{Delimiter}S";
            }
        }
    }

    internal static bool Covers(string mountPath, string path) =>
        mountPath.Length > 0 && (path == mountPath || path.StartsWith(mountPath + "/", StringComparison.Ordinal));

    /// <summary>A basic regular expression for just this text.</summary>
    private static string Pattern(string text) => Escape(text, @"\.[]*^$");

    private static string Replacement(string text) => Escape(text, @"\&");

    private static string Escape(string text, string special)
    {
        var escaped = new StringBuilder();
        foreach (var c in text)
        {
            escaped.Append(c == Delimiter || special.Contains(c, StringComparison.Ordinal) ? $"\\{c}" : $"{c}");
        }

        return escaped.ToString();
    }
}
