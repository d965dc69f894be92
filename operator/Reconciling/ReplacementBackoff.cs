using System.Collections.Concurrent;
using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps a deployment whose pods fail at once from being replaced in a tight loop: the first failed pod is replaced at
/// once, later ones after 10 s, 20 s, … 5 min, until all replicas have been ready.</summary>
internal sealed class ReplacementBackoff(TimeProvider time)
{
    private readonly ItemBackoff<string> _backoff = new(TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(5));
    private readonly ConcurrentDictionary<string, (long Since, TimeSpan Wait)> _waits = new(StringComparer.Ordinal);

    /// <summary>How long failed pods of this deployment must be left alone; zero when they may be replaced now.</summary>
    public TimeSpan Remaining(string uid) =>
        _waits.TryGetValue(uid, out var wait) && wait.Wait - time.GetElapsedTime(wait.Since) is var left && left > TimeSpan.Zero
            ? left
            : TimeSpan.Zero;

    public void Replaced(string uid) => _waits[uid] = (time.GetTimestamp(), _backoff.Next(uid));

    /// <summary>All its replicas are ready, or it is gone.</summary>
    public void Reset(string uid)
    {
        _backoff.Forget(uid);
        _waits.TryRemove(uid, out _);
    }
}
