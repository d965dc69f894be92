namespace Cluster.Worker.Serving.Limits;

/// <summary>Gives the memory that large requests needed back to the system, once they are over. The runtime keeps it for the next ones,
/// which seldom come: a worker that was once sent six large bodies would weigh gigabytes for good.</summary>
/// <param name="collect">Collects and returns memory; some tens of milliseconds, so not after every request.</param>
internal sealed class LargeBodyMemory(TimeProvider time, Action collect) : IDisposable
{
    /// <summary>Bytes of large bodies that are worth a collection.</summary>
    public const long WorthBytes = 8 << 20;

    /// <summary>Bursts of large bodies are collected together.</summary>
    public static readonly TimeSpan Delay = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private ITimer? _timer;
    private long _bytes;

    public static LargeBodyMemory OfProcess(TimeProvider time) =>
        new(time, () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true));

    /// <summary>A large body has been let go of.</summary>
    public void Add(long bytes)
    {
        lock (_lock)
        {
            _bytes += bytes;
            if (_bytes >= WorthBytes)
            {
                _timer ??= time.CreateTimer(_ => Release(), null, Delay, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _timer?.Dispose();
        }
    }

    private void Release()
    {
        lock (_lock)
        {
            _timer?.Dispose();
            _timer = null;
            _bytes = 0;
        }

        collect();
    }
}
