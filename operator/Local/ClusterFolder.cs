namespace Cluster.Operator.Local;

/// <summary>The folder of one local cluster, for its user only: kubeconfig and volumes. Removed when disposed, or by the next cluster of
/// the same user where this one was killed. Made by <see cref="LocalCluster"/>.</summary>
/// <remarks>Its lock is one of the kernel (<c>flock</c>), which ends with the process, whatever ends it.</remarks>
internal sealed class ClusterFolder : IDisposable
{
    private const string Prefix = "cluster-local-";
    private const string LockName = "lock";

    private readonly FileStream _lock;

    private ClusterFolder(string path, FileStream held)
    {
        Path = path;
        _lock = held;
    }

    public string Path { get; }

    /// <summary>A name that nobody can guess in the folder for temporary files, which others may write to, too.</summary>
    public static ClusterFolder Create()
    {
        RemoveAbandoned();
        var path = Directory.CreateTempSubdirectory(Prefix).FullName;
        try
        {
            // Named only when it is held: the file without its lock says that the cluster is gone.
            var unnamed = System.IO.Path.Combine(path, LockName + ".new");
            var held = new FileStream(unnamed, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            File.Move(unnamed, System.IO.Path.Combine(path, LockName));
            return new ClusterFolder(path, held);
        }
        catch
        {
            Directory.Delete(path, recursive: true);
            throw;
        }
    }

    public void Dispose()
    {
        Directory.Delete(Path, recursive: true);
        _lock.Dispose();
    }

    /// <summary>Leaves alone what is in use, another user's, or a link: whoever removes files as root must not be led elsewhere.</summary>
    private static void RemoveAbandoned()
    {
        var all = new EnumerationOptions { IgnoreInaccessible = true };
        foreach (var path in Directory.EnumerateDirectories(System.IO.Path.GetTempPath(), Prefix + "*", all))
        {
            try
            {
                if (FileStatus.Of(path) is { IsFolder: true, IsMine: true, IsPrivate: true } && IsAbandoned(path))
                {
                    Directory.Delete(path, recursive: true);
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Another cluster was faster, or something of it cannot be removed; it is no hindrance.
            }
        }
    }

    private static bool IsAbandoned(string path)
    {
        try
        {
            using var free = new FileStream(
                System.IO.Path.Combine(path, LockName), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (IOException)
        {
            return false; // Held, or not there yet.
        }
    }
}
