using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Common.Files;

/// <summary>Asks the system about a file without opening it. Linux only. Called by <see cref="FileNode"/> and
/// <see cref="FileStatus"/>.</summary>
internal static partial class StatusCall
{
    private const int CurrentFolder = -100;
    private const int NoFollow = 0x100;
    private const int EmptyPath = 0x1000;
    private const uint BasicStatus = 0x7ff;

    /// <param name="followLinks">Whether to tell of a link, or of what it leads to.</param>
    /// <returns>0, or the system's error.</returns>
    public static int Of(string path, bool followLinks, out StatusBuffer status) =>
        Call(CurrentFolder, path, followLinks ? 0 : NoFollow, out status);

    /// <summary>Of what is open.</summary>
    /// <returns>0, or the system's error.</returns>
    public static int Of(SafeFileHandle file, out StatusBuffer status)
    {
        var held = false;
        try
        {
            file.DangerousAddRef(ref held);
            return Call((int)file.DangerousGetHandle(), "", EmptyPath, out status);
        }
        finally
        {
            if (held)
            {
                file.DangerousRelease();
            }
        }
    }

    private static int Call(int folder, string path, int flags, out StatusBuffer status) =>
        Statx(folder, path, flags, BasicStatus, out status) == 0 ? 0 : Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, out StatusBuffer status);
}
