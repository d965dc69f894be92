using System.Collections.Concurrent;

namespace Cluster.Common.Files;

/// <summary>Text files that are part of a larger one. A GGUF file holds what a checkpoint's folder has in <c>config.json</c>,
/// <c>tokenizer.json</c> and the like; once it is mounted, <c>MODEL.gguf/tokenizer.json</c> is read as if the file were that folder. Asked
/// by <see cref="RegularFile"/> before it looks at the disk.</summary>
internal static class FileMounts
{
    private static readonly ConcurrentDictionary<string, IMountedFiles> Mounts = new(StringComparer.Ordinal);

    /// <summary>Shows the parts of a file under its path; a second mount of one path replaces the first.</summary>
    public static void Add(string path, IMountedFiles files) => Mounts[Path.GetFullPath(path)] = files;

    /// <summary>Whether a mounted file has a part of this path.</summary>
    public static bool Has(string path) => Of(path) is { } files && files.Names.Contains(Path.GetFileName(path));

    /// <summary>The part; null where no mounted file has one of this path.</summary>
    public static byte[]? Read(string path) =>
        Of(path) is { } files && files.Names.Contains(Path.GetFileName(path)) ? files.Read(Path.GetFileName(path)) : null;

    private static IMountedFiles? Of(string path) =>
        !Mounts.IsEmpty && !path.Contains('\0') && Path.GetDirectoryName(Path.GetFullPath(path)) is { } parent
            ? Mounts.GetValueOrDefault(parent)
            : null;
}
