using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>Asks the system whether a file's pages are in memory. Used by <see cref="ReadAhead"/>.</summary>
internal static unsafe partial class PageCache
{
    /// <summary>From one page asked for to the next: readers read runs at least as long, so that a page stands for those
    /// around it.</summary>
    private const long Step = 1 << 20;

    /// <summary>Fail instead of waiting for the disk (<c>RWF_NOWAIT</c>).</summary>
    private const int NoWait = 8;

    /// <summary>Whether a part of a file can be read without waiting for the disk. A guess, by some of its pages; false where the system
    /// cannot tell.</summary>
    public static bool Holds(SafeFileHandle file, long offset, long length)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        try
        {
            for (var at = offset; at < offset + length; at += Step)
            {
                if (!CanRead(file, at))
                {
                    return false;
                }
            }

            return length == 0 || CanRead(file, offset + length - 1);
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    private static bool CanRead(SafeFileHandle file, long offset)
    {
        byte value;
        var vector = new IoVector { Address = &value, Length = 1 };
        return Read(file, &vector, 1, offset, NoWait) == 1;
    }

    [LibraryImport("libc", EntryPoint = "preadv2")]
    private static partial nint Read(SafeFileHandle file, IoVector* vectors, int count, long offset, int flags);

    private struct IoVector
    {
        public byte* Address;
        public nuint Length;
    }
}
