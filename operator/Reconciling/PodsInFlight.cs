using Cluster.Operator.Controller;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>A pod whose last request ended long ago without our seeing what came of it.</summary>
/// <param name="IsDeletion">The request was to delete it; otherwise to create it.</param>
internal readonly record struct PodInDoubt(V1Pod Pod, bool IsDeletion);

/// <summary>What we have told the API server about pods and not yet seen back in the informer's cache. Laid over the cache it
/// makes our own writes visible at once, so that a stale cache can neither create a pod twice nor book a GPU twice.</summary>
/// <remarks>A creation is reserved by name before it is sent. It leaves when the cache has shown the pod, when the server has
/// refused it, or when a direct look long after its request has ended says there is no such pod; in doubt (a timeout) it stays,
/// and its GPUs with it. As long as the request is being tried (a busy server says when to try again) it is not in doubt.
/// A deletion is remembered by uid until the cache shows it. Not thread-safe: part of a <see cref="Fleet"/>, which alone changes
/// it.</remarks>
internal sealed class PodsInFlight(TimeProvider time)
{
    /// <summary>Longer than the API server goes on with a request that nobody waits for any more: whatever is not there by then will not
    /// appear.</summary>
    public static readonly TimeSpan Doubtful = TimeSpan.FromSeconds(30);

    private readonly Dictionary<NamespacedName, Entry> _created = [];
    private readonly Dictionary<string, Entry> _deleted = new(StringComparer.Ordinal);

    /// <summary>The pod of this name that we have asked for and that the cache has not shown yet.</summary>
    public V1Pod? Pending(NamespacedName key) => _created.TryGetValue(key, out var entry) ? entry.Pod : null;

    /// <summary>Whether we have asked for the deletion of the pod with this uid and the cache does not show it yet.</summary>
    public bool IsDeleting(string uid) => _deleted.ContainsKey(uid);

    /// <summary>Before the request is sent.</summary>
    public void Creating(V1Pod pod) => _created.Add(NamespacedName.Of(pod), new Entry(pod, null));

    /// <summary>The server has the pod; the cache will.</summary>
    public void Created(V1Pod pod)
    {
        if (_created.TryGetValue(NamespacedName.Of(pod), out var entry))
        {
            _created[NamespacedName.Of(pod)] = entry with { Pod = pod };
        }
    }

    /// <summary>The server has definitely not made the pod.</summary>
    public void NotCreated(V1Pod pod) => _created.Remove(NamespacedName.Of(pod));

    /// <summary>Before the request is sent.</summary>
    public void Deleting(V1Pod pod)
    {
        if (pod.Metadata.Uid is { } uid)
        {
            _deleted[uid] = new Entry(pod, null);
        }
    }

    /// <summary>No request about this pod is on its way any more, however the last one ended.</summary>
    public void Ended(V1Pod pod)
    {
        var key = NamespacedName.Of(pod);
        var uid = pod.Metadata.Uid ?? "";
        if (_created.TryGetValue(key, out var creation))
        {
            _created[key] = creation with { EndedAt = creation.EndedAt ?? time.GetTimestamp() };
        }

        if (_deleted.TryGetValue(uid, out var deletion))
        {
            _deleted[uid] = deletion with { EndedAt = deletion.EndedAt ?? time.GetTimestamp() };
        }
    }

    /// <summary>The server has definitely not deleted the pod.</summary>
    public void NotDeleted(V1Pod pod) => _deleted.Remove(pod.Metadata.Uid ?? "");

    /// <summary>The cache has caught up with this pod.</summary>
    public void Observe(ObjectChange<V1Pod> change)
    {
        _created.Remove(NamespacedName.Of(change.Object));
        if (change.Type == ChangeType.Deleted || change.Object.Metadata.DeletionTimestamp is not null)
        {
            _deleted.Remove((change.Before ?? change.Object).Metadata.Uid ?? "");
            _deleted.Remove(change.Object.Metadata.Uid ?? "");
        }
    }

    /// <summary>Whether anything about pods of this owner is still in flight.</summary>
    public bool Concerns(string ownerUid) =>
        _created.Values.Any(e => OwnerOf(e.Pod) == ownerUid) || _deleted.Values.Any(e => OwnerOf(e.Pod) == ownerUid);

    /// <summary>Everything whose request ended longer than <see cref="Doubtful"/> ago: the server itself has to be asked.</summary>
    public IReadOnlyList<PodInDoubt> InDoubt() =>
        [.. _created.Values.Where(IsDoubtful).Select(e => new PodInDoubt(e.Pod, IsDeletion: false)),
            .. _deleted.Values.Where(IsDoubtful).Select(e => new PodInDoubt(e.Pod, IsDeletion: true))];

    /// <summary>Uid of the pod's controller.</summary>
    public static string? OwnerOf(V1Pod pod) => pod.Metadata.OwnerReferences?.FirstOrDefault(o => o.Controller == true)?.Uid;

    private bool IsDoubtful(Entry entry) => entry.EndedAt is { } ended && time.GetElapsedTime(ended) >= Doubtful;

    /// <param name="EndedAt">When the last request about it ended; null while one is on its way.</param>
    private readonly record struct Entry(V1Pod Pod, long? EndedAt);
}
