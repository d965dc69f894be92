using System.Globalization;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Startup;

/// <summary>Loading as lines, one every few seconds: what a log should show of a long load, and nothing of a short one.</summary>
internal sealed class LoadLines(Action<string> log, TimeProvider time) : IProgress<LoadProgress>
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly long _started = time.GetTimestamp();
    private readonly Lock _gate = new();
    private TimeSpan _last;

    public void Report(LoadProgress value)
    {
        lock (_gate)
        {
            var elapsed = time.GetElapsedTime(_started);
            if (elapsed - _last < Pause)
            {
                return;
            }

            _last = elapsed;
            log(string.Create(
                CultureInfo.InvariantCulture,
                $"loading weights: {100.0 * value.BytesDone / Math.Max(1, value.BytesTotal):F0} % of "
                + $"{value.BytesTotal / (double)(1 << 30):F1} GiB, {value.BytesDone * 1e-9 / elapsed.TotalSeconds:F2} GB/s"));
        }
    }
}
