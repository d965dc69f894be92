using System.Runtime.InteropServices;
using System.Text;

namespace Cluster.Common.Files;

/// <summary>A path with every link in it followed, those of its folders too (realpath(3)). Used by <see cref="RegularFile"/>.</summary>
internal static partial class TruePath
{
    private const int MaxBytes = 4096;

    /// <exception cref="IOException">Something on the way is not there, or links lead in a circle.</exception>
    public static string Of(string path)
    {
        Span<byte> buffer = stackalloc byte[MaxBytes + 1];
        return Resolve(path, buffer) != 0
            ? Encoding.UTF8.GetString(buffer[..buffer.IndexOf((byte)0)])
            : throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
    }

    [LibraryImport("libc", EntryPoint = "realpath", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Resolve(string path, Span<byte> resolved);
}
