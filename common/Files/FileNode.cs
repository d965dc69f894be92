using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Common.Files;

/// <summary>Type and size of what stands under a path, found without opening it: opening a pipe waits for a writer, and opening a device
/// may do things. Used by <see cref="RegularFile"/>.</summary>
internal readonly partial record struct FileNode(NodeType Type, long Length)
{
    private const int CurrentFolder = -100;
    private const int NoFollow = 0x100;
    private const int EmptyPath = 0x1000;
    private const uint TypeAndSize = 0x001 | 0x200;

    private const int NoEntry = 2;
    private const int NotAllowed = 13;
    private const int NotAFolder = 20;
    private const int NameTooLong = 36;
    private const int TooManyLinks = 40;

    /// <summary><c>struct statx</c>, the same on every Linux: 16 bits of mode at 28, 64 bits of size at 40.</summary>
    private const int BufferBytes = 256;

    private const int ModeOffset = 28;
    private const int SizeOffset = 40;

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

        Span<byte> buffer = stackalloc byte[BufferBytes];
        return Status(CurrentFolder, path, followLinks ? 0 : NoFollow, TypeAndSize, buffer) == 0
            ? Read(buffer)
            : Marshal.GetLastPInvokeError() switch
            {
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

        Span<byte> buffer = stackalloc byte[BufferBytes];
        var held = false;
        try
        {
            file.DangerousAddRef(ref held);
            return Status((int)file.DangerousGetHandle(), "", EmptyPath, TypeAndSize, buffer) == 0
                ? Read(buffer)
                : throw new IOException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
        }
        finally
        {
            if (held)
            {
                file.DangerousRelease();
            }
        }
    }

    private static FileNode Read(ReadOnlySpan<byte> buffer) => new(
        (BinaryPrimitives.ReadUInt16LittleEndian(buffer[ModeOffset..]) & 0xF000) switch
        {
            0x1000 => NodeType.Pipe,
            0x2000 => NodeType.CharacterDevice,
            0x4000 => NodeType.Folder,
            0x6000 => NodeType.BlockDevice,
            0x8000 => NodeType.Regular,
            0xA000 => NodeType.Link,
            0xC000 => NodeType.Socket,
            _ => NodeType.Other,
        },
        BinaryPrimitives.ReadInt64LittleEndian(buffer[SizeOffset..]));

    private static FileNode? OfAttributes(string path) =>
        Directory.Exists(path) ? new FileNode(NodeType.Folder, 0)
        : new FileInfo(path) is { Exists: true } file ? new FileNode(NodeType.Regular, file.Length)
        : null;

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Status(int folder, string path, int flags, uint mask, Span<byte> buffer);
}
