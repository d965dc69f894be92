using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>A rank's life as a lock on byte <c>rank</c> of the group's file. Called by <see cref="RankFile"/>.</summary>
/// <remarks>The kernel releases a lock with the last descriptor of the opening that took it, so at the process's end, whatever ends it
/// (open file description locks, fcntl(2)). Unlike a process id it works across pid namespaces, is never reused and is gone while a dead
/// process still waits to be reaped.</remarks>
internal static partial class RankLock
{
    private const int Query = 36;
    private const int Set = 37;
    private const short Exclusive = 1;
    private const short Unlocked = 2;

    /// <exception cref="IOException">Another opening of the file holds it: there are two processes of one rank.</exception>
    public static void Take(SafeFileHandle file, int rank)
    {
        var range = Byte(rank);
        if (Control(file, Set, ref range) != 0)
        {
            throw new IOException(
                $"rank {rank} has already joined the group ({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})");
        }
    }

    /// <summary>Whether another opening of the file holds it.</summary>
    public static bool IsHeld(SafeFileHandle file, int rank)
    {
        var range = Byte(rank);
        return Control(file, Query, ref range) == 0 && range.Type != Unlocked;
    }

    private static FileRange Byte(int rank) => new() { Type = Exclusive, Start = rank, Length = 1 };

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeFileHandle file, int command, ref FileRange range);

    /// <summary><c>struct flock</c> of 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct FileRange
    {
        public short Type;
        public short Whence;
        public long Start;
        public long Length;
        public int ProcessId;
    }
}
