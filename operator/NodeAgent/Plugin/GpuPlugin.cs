using System.Runtime.CompilerServices;

namespace Cluster.Operator.NodeAgent.Plugin;

/// <summary>A GPU that is offered, and whether it is well: what one socket serves. Health is set by <see cref="KubeletPlugin"/> and watched
/// by <see cref="GpuPluginService"/> from other threads.</summary>
internal sealed class GpuPlugin(OfferedGpu gpu)
{
    private readonly Lock _lock = new();
    private bool _healthy = true;
    private TaskCompletionSource _changed = NewSignal();

    public OfferedGpu Gpu => gpu;

    public bool Healthy
    {
        get
        {
            lock (_lock)
            {
                return _healthy;
            }
        }

        set
        {
            lock (_lock)
            {
                if (_healthy != value)
                {
                    _healthy = value;
                    _changed.SetResult();
                    _changed = NewSignal();
                }
            }
        }
    }

    /// <summary>What it is now, and then every change; ends when cancelled.</summary>
    public async IAsyncEnumerable<bool> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            bool healthy;
            Task changed;
            lock (_lock)
            {
                (healthy, changed) = (_healthy, _changed.Task);
            }

            yield return healthy;
            await changed.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
