using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Startup;

/// <summary>A download as log lines, one each tenth: what a pod's log should show of a long one. Silent where everything was in the
/// cache.</summary>
internal sealed class DownloadLog(string title, Action<string> log) : IProgress<HubProgress>
{
    private long _tenth;
    private bool _moved;

    public void Report(HubProgress value)
    {
        _moved |= value.FileBytes < value.FileSize;
        var now = value.BytesTotal == 0 ? 10 : value.BytesDone * 10 / value.BytesTotal;
        if (now > _tenth && _moved)
        {
            log($"downloading {title}: {now * 10} % of {value.BytesTotal / (double)(1 << 20):F1} MiB, {value.FilesDone} of "
                + $"{value.FilesTotal} files");
        }

        // A total that rose, once the shards are known, starts the count anew.
        _tenth = now;
    }
}
