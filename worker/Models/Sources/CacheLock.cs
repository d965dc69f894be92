namespace Cluster.Worker.Models.Sources;

/// <summary>Keeps two downloads of one content apart, in this process or in any other on the machine: an exclusive <c>flock</c>, which is
/// what huggingface_hub takes on the same file. The system gives it up when its holder dies; the file stays, since removing it would let
/// two holders in.</summary>
internal sealed class CacheLock : IDisposable
{
    // EWOULDBLOCK of Linux and of macOS, ERROR_SHARING_VIOLATION of Windows.
    private const int LinuxWouldBlock = 11;
    private const int MacWouldBlock = 35;
    private const int SharingViolation = unchecked((int)0x80070020);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    private readonly FileStream _file;

    private CacheLock(FileStream file) => _file = file;

    /// <param name="path">Lock file; made where there is none.</param>
    /// <param name="waiting">Called once when somebody else holds it.</param>
    /// <param name="pause">Waits between two tries.</param>
    public static async Task<CacheLock> AcquireAsync(
        string path, Action waiting, Func<TimeSpan, CancellationToken, Task> pause, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        for (var tries = 0; ; tries++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return new CacheLock(PlainFile.OpenOrCreate(path, FileShare.None, FileOptions.None));
            }
            catch (IOException exception) when (exception.HResult is LinuxWouldBlock or MacWouldBlock or SharingViolation)
            {
                if (tries == 0)
                {
                    waiting();
                }
            }

            await pause(PollInterval, cancellationToken);
        }
    }

    public void Dispose() => _file.Dispose();
}
