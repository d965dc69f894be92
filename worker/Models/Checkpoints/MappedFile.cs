using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>A whole file mapped read-only. Used by <see cref="SafetensorsFile"/>.</summary>
/// <remarks>Has no Dispose on purpose: tensors point into the mapping and name it as their owner, so it is unmapped by the view's own
/// finalizer when neither the file nor any of its tensors is reachable. Closing it earlier would turn a late read into a crash of the
/// process.</remarks>
internal sealed unsafe partial class MappedFile
{
    private readonly SafeMemoryMappedViewHandle _view;
    private readonly nint _address;

    private MappedFile(SafeMemoryMappedViewHandle view, nint address, long length)
    {
        _view = view;
        _address = address;
        Length = length;
    }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>Maps a file that is not empty.</summary>
    /// <param name="stream">Need not stay open.</param>
    /// <exception cref="IOException">The file cannot be mapped.</exception>
    public static MappedFile Of(FileStream stream)
    {
        var length = stream.Length;
        using var file = MemoryMappedFile.CreateFromFile(
            stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        var accessor = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        var view = accessor.SafeMemoryMappedViewHandle;

        // The reference that AcquirePointer takes would keep the finalizer from ever unmapping, so it is given back at once:
        // holding the handle itself is what keeps the address valid.
        byte* pointer = null;
        view.AcquirePointer(ref pointer);
        view.ReleasePointer();
        return new MappedFile(view, (nint)(pointer + accessor.PointerOffset), length);
    }

    /// <summary>Address of the byte at <paramref name="offset"/>; valid while this object is reachable.</summary>
    public nint AddressAt(long offset) => _address + (nint)offset;

    /// <summary>Takes the file's pages out of this process, which has them counted as its own otherwise. They stay in the page cache, and
    /// come back when they are read.</summary>
    public void Forget()
    {
        const int DontNeed = 4;
        if (OperatingSystem.IsLinux())
        {
            _ = Advise(_address, (nuint)Length, DontNeed);
        }

        GC.KeepAlive(this);
    }

    /// <summary>Bytes of the file, at most 2 GiB of them.</summary>
    public ReadOnlySpan<byte> Bytes(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(_view.IsClosed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + length, Length);
        return new ReadOnlySpan<byte>((byte*)AddressAt(offset), length);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);
}
