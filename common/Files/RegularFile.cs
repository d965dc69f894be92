using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Common.Files;

/// <summary>The one way in which files of a checkpoint, and others that users name, are opened. A checkpoint is downloaded data: its
/// <c>tokenizer.json</c> may be a link to <c>/dev/zero</c>, a pipe that nobody writes to, or ten gigabytes of holes. Only regular files of
/// a bounded size are opened; a link in a downloaded folder may lead to a file within that folder, or to the blobs of the hub cache that
/// the folder is a snapshot of.</summary>
/// <remarks>Order: type by path, without opening; where the links lead; open without waiting; type and size of what was opened, since the
/// path may lead elsewhere by now. <see cref="LoadWatch"/> is told before each. What <see cref="FileMounts"/> shows is not on the
/// disk.</remarks>
internal static partial class RegularFile
{
    private const int ReadOnly = 0;
    private const int NoWaiting = 0x800;
    private const int NoTerminal = 0x100;
    private const int CloseOnExec = 0x80000;

    /// <summary>Whether anything has this name, a link that leads nowhere included.</summary>
    public static bool IsThere(string path) => FileMounts.Has(path) || FileNode.At(path, followLinks: false) is not null;

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="RefusedFileException">It is no regular file, too large, or a link that leads where it may not.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static SafeFileHandle Open(string path, FileKind kind)
    {
        LoadWatch.At(path);
        CheckPath(path, kind);
        var file = OpenNow(path);
        try
        {
            Check(path, kind, FileNode.Of(file));
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="Open"/>
    public static FileStream OpenStream(string path, FileKind kind) => new(Open(path, kind), FileAccess.Read);

    /// <summary>The whole file.</summary>
    /// <inheritdoc cref="Open"/>
    public static byte[] ReadBytes(string path, FileKind kind)
    {
        if (FileMounts.Read(path) is { } mounted)
        {
            return mounted.Length <= kind.MaxBytes ? mounted : throw TooLarge(path, kind, mounted.Length);
        }

        using var file = Open(path, kind);
        var bytes = new byte[checked((int)RandomAccess.GetLength(file) + 1)];
        var length = 0;
        while (true)
        {
            // Files of procfs and the like say that they are empty and are not; others grow while they are read.
            if (length == bytes.Length)
            {
                if (length > kind.MaxBytes)
                {
                    throw TooLarge(path, kind, length);
                }

                Array.Resize(ref bytes, (int)Math.Min(Math.Max(4096, 2L * length), kind.MaxBytes + 1));
            }

            var count = RandomAccess.Read(file, bytes.AsSpan(length), length);
            if (count == 0)
            {
                Array.Resize(ref bytes, length);
                return bytes;
            }

            length += count;
        }
    }

    /// <summary>The whole file as text: UTF-8, or what a byte order mark says.</summary>
    /// <inheritdoc cref="Open"/>
    public static string ReadText(string path, FileKind kind)
    {
        using var reader = new StreamReader(new MemoryStream(ReadBytes(path, kind)), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>Says what is wrong with a path before anything is opened; nothing where it is right.</summary>
    /// <inheritdoc cref="Open"/>
    public static void CheckPath(string path, FileKind kind)
    {
        FileNode? node;
        try
        {
            node = FileNode.At(path, followLinks: true);
        }
        catch (IOException e) when (FileNode.At(path, followLinks: false) is { Type: NodeType.Link })
        {
            throw new RefusedFileException(path, $"is a link that leads in a circle; expected {Expected(kind)}", e);
        }

        if (node is not { } found)
        {
            throw new FileNotFoundException(
                FileNode.At(path, followLinks: false) is { Type: NodeType.Link }
                    ? $"{path}: is a link to '{new FileInfo(path).LinkTarget}', which is not there"
                    : $"Could not find file '{path}'.",
                path);
        }

        Check(path, kind, found);
        if (kind.StaysInFolder)
        {
            CheckFolder(path, kind);
        }
    }

    private static void Check(string path, FileKind kind, FileNode node)
    {
        if (node.Type != NodeType.Regular)
        {
            var what = node.Type switch
            {
                NodeType.Folder => "a folder",
                NodeType.CharacterDevice or NodeType.BlockDevice => "a device",
                NodeType.Pipe => "a named pipe",
                NodeType.Socket => "a socket",
                _ => "no regular file",
            };
            var target = new FileInfo(path).LinkTarget;
            throw new RefusedFileException(
                path, $"is {(target is null ? "" : $"a link to '{target}', ")}{what}; expected {Expected(kind)}");
        }

        if (node.Length > kind.MaxBytes)
        {
            throw TooLarge(path, kind, node.Length);
        }
    }

    private static void CheckFolder(string path, FileKind kind)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!OperatingSystem.IsLinux() || FileNode.At(path, followLinks: false) is not { Type: NodeType.Link })
        {
            return;
        }

        var (home, target) = (TruePath.Of(folder), TruePath.Of(path));
        if (target.StartsWith(home.TrimEnd('/') + "/", StringComparison.Ordinal)
            || target.StartsWith(BlobsOf(home), StringComparison.Ordinal))
        {
            return;
        }

        throw new RefusedFileException(
            path,
            $"is a link to '{target}', which is outside of its folder; expected {Expected(kind)}, or a link to one within {folder} or to "
            + "the blobs of the hub cache: copy the file here, or name the folder that it is in");
    }

    /// <summary>A snapshot of the hub cache is a folder of links: <c>snapshots/COMMIT/FILE → ../../blobs/HASH</c>.</summary>
    /// <returns>A path that nothing begins with where the folder is no snapshot.</returns>
    private static string BlobsOf(string folder) =>
        Path.GetDirectoryName(folder) is { } parent && Path.GetFileName(parent) == "snapshots"
            ? Path.Combine(Path.GetDirectoryName(parent)!, "blobs") + "/"
            : "\0";

    private static SafeFileHandle OpenNow(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return File.OpenHandle(path);
        }

        var descriptor = OpenFile(path, ReadOnly | NoWaiting | NoTerminal | CloseOnExec);
        return descriptor >= 0
            ? new SafeFileHandle(descriptor, ownsHandle: true)
            : Marshal.GetLastPInvokeError() switch
            {
                1 or 13 => throw new UnauthorizedAccessException($"{path}: permission denied"),
                2 => throw new FileNotFoundException($"Could not find file '{path}'.", path),
                var error => throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(error)}"),
            };
    }

    private static RefusedFileException TooLarge(string path, FileKind kind, long length) =>
        new(path, $"has {length} bytes; expected {Expected(kind)}");

    private static string Expected(FileKind kind) => $"{kind.Name} in a regular file of at most {kind.MaxBytes} bytes";

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);
}
