using System.Collections.Concurrent;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling;

/// <summary>Keeps a deployment from asking again at once for what the API server refuses, whatever wakes it meanwhile: it asks after
/// 250 ms, 500 ms, … 5 min, and at once when its spec changes.</summary>
internal sealed class RefusalBackoff(TimeProvider time)
{
    private readonly ItemBackoff<string> _backoff = new(TimeSpan.FromMilliseconds(250), TimeSpan.FromMinutes(5));
    private readonly ConcurrentDictionary<string, Entry> _standing = new(StringComparer.Ordinal);

    /// <summary>What was refused and must not be asked for yet; null when it may.</summary>
    public Refusal? Standing(ModelDeployment deployment) =>
        Remaining(deployment) > TimeSpan.Zero ? _standing[Uid(deployment)].Refusal : null;

    /// <summary>How long it must not.</summary>
    public TimeSpan Remaining(ModelDeployment deployment) =>
        _standing.TryGetValue(Uid(deployment), out var entry)
        && entry.Generation == deployment.Metadata.Generation
        && entry.Wait - time.GetElapsedTime(entry.Since) is var left
        && left > TimeSpan.Zero
            ? left
            : TimeSpan.Zero;

    /// <returns>The refusal as it was worded before where only the order of its words is another one.</returns>
    public Refusal Refused(ModelDeployment deployment, Refusal refusal)
    {
        var uid = Uid(deployment);
        if (_standing.TryGetValue(uid, out var before))
        {
            if (before.Generation != deployment.Metadata.Generation)
            {
                _backoff.Forget(uid);
            }

            if (SameWords.KeyOf(before.Refusal.Message) == SameWords.KeyOf(refusal.Message))
            {
                refusal = refusal with { Message = before.Refusal.Message };
            }
        }

        _standing[uid] = new Entry(refusal, deployment.Metadata.Generation, time.GetTimestamp(), _backoff.Next(uid));
        return refusal;
    }

    /// <summary>Nothing of it is refused any more, or it is gone.</summary>
    public void Reset(string uid)
    {
        _backoff.Forget(uid);
        _standing.TryRemove(uid, out _);
    }

    private static string Uid(ModelDeployment deployment) => deployment.Metadata.Uid!;

    private sealed record Entry(Refusal Refusal, long? Generation, long Since, TimeSpan Wait);
}
