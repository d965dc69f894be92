using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>Opens a file in a directory that every user may write to, where a name says nothing of what is behind it: no link is followed,
/// and what is no file (a pipe without a writer) is not waited for. Called by <see cref="RankFile"/> and
/// <see cref="AbandonedRankFiles"/>.</summary>
internal static partial class SharedFile
{
    private const int ReadWrite = 0x2;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x8_0000;
    private const int NotFound = 2;

    /// <summary>The one flag whose value depends on the processor (open(2), <c>asm/fcntl.h</c>).</summary>
    private static readonly int NoFollow = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x2_0000;

    /// <summary>Opens for reading and writing; null when there is no such name.</summary>
    /// <exception cref="IOException">It is a link, a socket, or not for this user.</exception>
    public static SafeFileHandle? TryOpen(string path)
    {
        var handle = Open(path, ReadWrite | NonBlocking | CloseOnExec | NoFollow);
        if (!handle.IsInvalid)
        {
            return handle;
        }

        var error = Marshal.GetLastPInvokeError();
        handle.Dispose();
        return error == NotFound ? null : throw new IOException($"cannot open '{path}': {Marshal.GetPInvokeErrorMessage(error)}");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);
}
