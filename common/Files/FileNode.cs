using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Common.Files;

/// <summary>Type and size of what stands under a path, found without opening it: opening a pipe waits for a writer, and opening a device
/// may do things. Used by <see cref="RegularFile"/>.</summary>
internal readonly record struct FileNode(NodeType Type, long Length)
{
    private const int NoEntry = 2;
    private const int NotAllowed = 13;
    private const int NotAFolder = 20;
    private const int NameTooLong = 36;
    private const int TooManyLinks = 40;

    /// <summary>Null where there is nothing.</summary>
    /// <param name="followLinks">Whether to tell of a link, or of what it leads to.</param>
    /// <exception cref="IOException">Links lead in a circle, or the file system fails.</exception>
    /// <exception cref="UnauthorizedAccessException">A folder on the way may not be entered.</exception>
    public static FileNode? At(string path, bool followLinks)
    {
        if (!OperatingSystem.IsLinux())
        {
            return OfAttributes(path);
        }

        return StatusCall.Of(path, followLinks, out var status) switch
        {
            0 => new FileNode(status.Type, status.Length),
            NoEntry or NotAFolder or NameTooLong => null,
            TooManyLinks => throw new IOException($"{path}: is a link that leads in a circle"),
            NotAllowed => throw new UnauthorizedAccessException($"{path}: permission denied"),
            var error => throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(error)}"),
        };
    }

    /// <summary>Of an open file.</summary>
    public static FileNode Of(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
        {
            return new FileNode(NodeType.Regular, RandomAccess.GetLength(file));
        }

        return StatusCall.Of(file, out var status) is var error and not 0
            ? throw new IOException(Marshal.GetPInvokeErrorMessage(error))
            : new FileNode(status.Type, status.Length);
    }

    private static FileNode? OfAttributes(string path) =>
        Directory.Exists(path) ? new FileNode(NodeType.Folder, 0)
        : new FileInfo(path) is { Exists: true } file ? new FileNode(NodeType.Regular, file.Length)
        : null;
}
