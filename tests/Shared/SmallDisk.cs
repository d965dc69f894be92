namespace Cluster.Tests.Shared;

/// <summary>A disk of a few MiB that really runs full: a tmpfs mounted on a folder. Only root can mount.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private const string BallastName = "ballast";

    private readonly TemporaryFolder _folder;

    private SmallDisk(TemporaryFolder folder) => _folder = folder;

    public string Path => _folder.Path;

    public long FreeBytes => new DriveInfo(Path).AvailableFreeSpace;

    private string Ballast => System.IO.Path.Combine(Path, BallastName);

    /// <summary>Skips the test where nothing can be mounted.</summary>
    public static async Task<SmallDisk> MountAsync(long bytes)
    {
        var folder = new TemporaryFolder();
        var mounted = OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess && CommandLine.Find("mount") is { } mount
            ? await CommandLine.RunAsync(mount, ["-t", "tmpfs", "-o", $"size={bytes}", "tmpfs", folder.Path])
            : null;
        if (mounted is { ExitCode: 0 })
        {
            return new SmallDisk(folder);
        }

        folder.Dispose();
        throw new UnavailableException(
            mounted is null ? "only root can mount a disk, and only on Linux" : $"no disk can be mounted: {mounted.Error}");
    }

    /// <summary>Somebody else takes all but so many bytes, in pages of 4 KiB.</summary>
    public void Fill(long leave = 0)
    {
        using var file = new FileStream(Ballast, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var page = new byte[4096];
        while (FreeBytes - leave >= page.Length)
        {
            file.Write(page);
        }
    }

    /// <summary>Somebody makes room.</summary>
    public void MakeRoom() => File.Delete(Ballast);

    public async ValueTask DisposeAsync()
    {
        // Lazily: a process that is being ended may still have a file open.
        await CommandLine.RunAsync("umount", ["--lazy", Path]);
        _folder.Dispose();
    }
}
