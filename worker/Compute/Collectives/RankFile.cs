using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>The file that the processes of a group map: made by rank 0, opened by the others, without a name from the moment all have it.
/// Called by <see cref="SharedMemoryCommunicator"/>.</summary>
internal sealed unsafe partial class RankFile : IRankLiveness, IDisposable
{
    public const string NamePrefix = "cluster-ranks-";

    private const int Interrupted = 4;
    private const int NoSpaceLeft = 28;

    private readonly string _path;
    private readonly Func<bool> _canJoin;
    private readonly SafeFileHandle _file;
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;

    private RankFile(string path, SafeFileHandle file, long bytes, Func<bool> canJoin)
    {
        _path = path;
        _canJoin = canJoin;
        _file = file;
        _mapping = MemoryMappedFile.CreateFromFile(
            file, null, bytes, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
        _view = _mapping.CreateViewAccessor(0, bytes);
        byte* address = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
        Address = address;
    }

    /// <summary>The group's memory, behind the header.</summary>
    public byte* Memory => Address + RankFileHeader.Bytes;

    private byte* Address { get; }

    /// <summary>Rank 0's part. All pages are taken here, so that none can be missing later, when it would be a SIGBUS.</summary>
    /// <param name="bytes">Bytes of <see cref="Memory"/>.</param>
    /// <exception cref="IOException">The file exists, or the file system is too small: says what is needed and what there is.</exception>
    public static RankFile Create(string path, int size, long bytes, SharedMemoryOptions options)
    {
        bytes += RankFileHeader.Bytes;
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        AbandonedRankFiles.Remove(directory);
        var free = options.FreeBytes(directory);
        if (free < bytes)
        {
            throw TooSmall(directory, size, bytes, free);
        }

        var handle = CreateNew(path);
        try
        {
            RankLock.Take(handle, 0);
            int error;
            do
            {
                error = Reserve(handle, 0, bytes);
            }
            while (error == Interrupted);

            if (error != 0)
            {
                throw error == NoSpaceLeft
                    ? TooSmall(directory, size, bytes, options.FreeBytes(directory))
                    : new IOException($"cannot take {bytes} bytes of '{path}': {Marshal.GetPInvokeErrorMessage(error)}");
            }

            var file = new RankFile(path, handle, bytes, options.CanJoin);
            *(RankFileHeader*)file.Address = RankFileHeader.Of(size, options.SlotBytes, options.Version);
            Volatile.Write(ref ((RankFileHeader*)file.Address)->Magic, RankFileHeader.Valid);
            return file;
        }
        catch
        {
            handle.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Another rank's part: waits for rank 0's file and checks that this rank belongs to it.</summary>
    /// <exception cref="RankLostException">There is no such file in time.</exception>
    /// <exception cref="InvalidOperationException">Rank 0 is another build or was started with other values.</exception>
    public static RankFile Open(string path, int rank, int size, long bytes, SharedMemoryOptions options)
    {
        bytes += RankFileHeader.Bytes;
        var handle = Await(path, options.Timeout, out var header);
        try
        {
            if (header.Refusal(size, options.SlotBytes, options.Version) is { } reason)
            {
                throw new InvalidOperationException($"rank {rank} cannot join: {reason}");
            }

            RankLock.Take(handle, rank);
            return new RankFile(path, handle, bytes, options.CanJoin);
        }
        catch
        {
            // The group cannot become whole: the ranks that wait learn it from the missing name, and nothing is left behind.
            File.Delete(path);
            handle.Dispose();
            throw;
        }
    }

    public bool IsAlive(int rank) => RankLock.IsHeld(_file, rank);

    public bool CanJoin() => File.Exists(_path) && _canJoin();

    /// <summary>Takes the name away; the memory lives as long as it is mapped. Every rank may.</summary>
    public void Unlink() => File.Delete(_path);

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _mapping.Dispose();
        _file.Dispose();
    }

    /// <summary>The file of rank 0, which may be started later than this rank.</summary>
    private static SafeFileHandle Await(string path, TimeSpan timeout, out RankFileHeader header)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            if (SharedFile.TryOpen(path) is { } handle)
            {
                if (RankFileHeader.TryRead(handle, out header))
                {
                    return handle;
                }

                handle.Dispose();
            }

            if (timeout != Timeout.InfiniteTimeSpan && Stopwatch.GetElapsedTime(start) > timeout)
            {
                throw new RankLostException($"rank 0 has not made the group's file '{path}' within {timeout.TotalSeconds:0.###} s");
            }

            // Once a start, beside seconds of loading: not worth a watch on the directory.
            Thread.Sleep(5);
        }
    }

    /// <exception cref="PlatformNotSupportedException">The system is not Linux.</exception>
    private static SafeFileHandle CreateNew(string path) => !OperatingSystem.IsLinux()
        ? throw new PlatformNotSupportedException("ranks that are processes need Linux")
        : new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite | FileShare.Delete,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }).SafeFileHandle;

    private static IOException TooSmall(string directory, int size, long needed, long free) => new(
        $"{directory} is too small: {size} ranks need {needed} bytes of shared memory, {free} are free; give the container more (a "
        + $"volume with medium: Memory at {directory})");

    [LibraryImport("libc", EntryPoint = "posix_fallocate")]
    private static partial int Reserve(SafeFileHandle file, long offset, long bytes);
}
