using System.Collections.Concurrent;
using Cluster.Operator.Controller;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Since when nodes have not been ready, counted from when this process first saw it. The time in the condition is of another
/// machine's clock: with ours an hour ahead, every node that misses a heartbeat would count as lost at once, and its pods with it. Node
/// controllers count in the same way, and also start anew with each leader. Asked by <see cref="NodeLoss"/>.</summary>
internal sealed class UnreadyNodes(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, (DateTime? Transition, long SeenAt)> _seen = new(StringComparer.Ordinal);

    /// <summary>How long the node has not been ready; null when it is, or does not say.</summary>
    public TimeSpan? For(V1Node node)
    {
        var name = node.Metadata.Name;
        if (node.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready") is not { Status: not "True" } condition)
        {
            _seen.TryRemove(name, out _);
            return null;
        }

        // Another transition is another absence, also where the return between the two was never seen.
        var since = condition.LastTransitionTime;
        var seen = _seen.AddOrUpdate(
            name, _ => (since, time.GetTimestamp()), (_, known) => known.Transition == since ? known : (since, time.GetTimestamp()));
        return time.GetElapsedTime(seen.SeenAt);
    }

    /// <summary>Informer handler: counts from the moment the cluster tells.</summary>
    public void Observe(ObjectChange<V1Node> change)
    {
        _ = For(change.Object);
        if (change.Type == ChangeType.Deleted)
        {
            _seen.TryRemove(change.Object.Metadata.Name, out _);
        }
    }
}
