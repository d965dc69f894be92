using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>What we have told the API server about pods and not yet seen back in the informer's cache. Laid over the cache it
/// makes our own writes visible at once, so that a stale cache can neither create a pod twice nor book a GPU twice.</summary>
/// <remarks>A creation is reserved by name before it is sent. It leaves when the cache has shown the pod, when the server has
/// refused it, or when a direct look long after its request has ended says there is no such pod; in doubt (a timeout) it stays,
/// and its GPUs with it. As long as the request is being tried (a busy server says when to try again) it is not in doubt.
/// A deletion is remembered by uid until the cache shows it. Called by <see cref="PodActions"/> and the pod informer; read by <see cref="Fleet"/>.</remarks>
internal sealed class PodsInFlight(TimeProvider time)
{
    /// <summary>Longer than the API server goes on with a request that nobody waits for any more: whatever is not there by then will not appear.</summary>
    public static readonly TimeSpan Doubtful = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private readonly Dictionary<NamespacedName, Entry> created = [];
    private readonly Dictionary<string, Entry> deleted = new(StringComparer.Ordinal);

    /// <summary>A pod of this name is to be looked at again. Raised after the change, outside the lock, on the thread that made it.</summary>
    public event Action<NamespacedName>? Changed;

    /// <summary>The pod of this name that we have asked for and that the cache has not shown yet.</summary>
    public V1Pod? Pending(NamespacedName key)
    {
        lock (gate)
        {
            return created.TryGetValue(key, out Entry entry) ? entry.Pod : null;
        }
    }

    /// <summary>Whether we have asked for the deletion of the pod with this uid and the cache does not show it yet.</summary>
    public bool IsDeleting(string uid)
    {
        lock (gate)
        {
            return deleted.ContainsKey(uid);
        }
    }

    /// <summary>Before the request is sent.</summary>
    public void Creating(V1Pod pod) => Change(pod, key => created.Add(key, new Entry(pod, null)));

    /// <summary>The server has the pod; the cache will.</summary>
    public void Created(V1Pod pod) => Change(pod, key =>
    {
        if (created.TryGetValue(key, out Entry entry))
        {
            created[key] = entry with { Pod = pod };
        }
    });

    /// <summary>The server has definitely not made the pod.</summary>
    public void NotCreated(V1Pod pod) => Change(pod, key => created.Remove(key));

    /// <summary>Before the request is sent.</summary>
    public void Deleting(V1Pod pod) => Change(pod, _ =>
    {
        if (pod.Metadata.Uid is { } uid)
        {
            deleted[uid] = new Entry(pod, null);
        }
    });

    /// <summary>No request about this pod is on its way any more, however the last one ended.</summary>
    public void Ended(V1Pod pod)
    {
        lock (gate)
        {
            NamespacedName key = NamespacedName.Of(pod);
            string uid = pod.Metadata.Uid ?? "";
            if (created.TryGetValue(key, out Entry creation))
            {
                created[key] = creation with { EndedAt = creation.EndedAt ?? time.GetTimestamp() };
            }

            if (deleted.TryGetValue(uid, out Entry deletion))
            {
                deleted[uid] = deletion with { EndedAt = deletion.EndedAt ?? time.GetTimestamp() };
            }
        }
    }

    /// <summary>The server has definitely not deleted the pod.</summary>
    public void NotDeleted(V1Pod pod) => Change(pod, _ => deleted.Remove(pod.Metadata.Uid ?? ""));

    /// <summary>The pod informer's handler: the cache has caught up with this pod.</summary>
    public void Observe(ObjectChange<V1Pod> change) => Change(change.Object, key =>
    {
        created.Remove(key);
        if (change.Type == ChangeType.Deleted || change.Object.Metadata.DeletionTimestamp is not null)
        {
            deleted.Remove((change.Before ?? change.Object).Metadata.Uid ?? "");
            deleted.Remove(change.Object.Metadata.Uid ?? "");
        }
    });

    /// <summary>Whether anything about pods of this owner is still in flight.</summary>
    public bool Concerns(string ownerUid)
    {
        lock (gate)
        {
            return created.Values.Any(e => OwnerOf(e.Pod) == ownerUid) || deleted.Values.Any(e => OwnerOf(e.Pod) == ownerUid);
        }
    }

    /// <summary>Asks the server itself about everything whose request ended longer than <see cref="Doubtful"/> ago.</summary>
    public async Task ResolveAsync(IKubernetesClient client, CancellationToken cancellationToken)
    {
        List<(V1Pod Pod, bool IsDeletion)> doubtful;
        lock (gate)
        {
            doubtful = [.. created.Values.Where(IsDoubtful).Select(e => (e.Pod, false)), .. deleted.Values.Where(IsDoubtful).Select(e => (e.Pod, true))];
        }

        foreach ((V1Pod pod, bool isDeletion) in doubtful)
        {
            V1Pod? live = await FindAsync(client, pod, cancellationToken).ConfigureAwait(false);
            if (isDeletion && live?.Metadata is { DeletionTimestamp: null } metadata && metadata.Uid == pod.Metadata.Uid)
            {
                NotDeleted(pod);
            }
            else if (!isDeletion && (live is null || OwnerOf(live) != OwnerOf(pod)))
            {
                NotCreated(pod);
            }
        }
    }

    private void Change(V1Pod pod, Action<NamespacedName> change)
    {
        NamespacedName key = NamespacedName.Of(pod);
        lock (gate)
        {
            change(key);
        }

        Changed?.Invoke(key);
    }

    private bool IsDoubtful(Entry entry) => entry.EndedAt is { } ended && time.GetElapsedTime(ended) >= Doubtful;

    private static string? OwnerOf(V1Pod pod) => pod.Metadata.OwnerReferences?.FirstOrDefault(o => o.Controller == true)?.Uid;

    private static async Task<V1Pod?> FindAsync(IKubernetesClient client, V1Pod pod, CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync<V1Pod>(pod.Metadata.NamespaceProperty, pod.Metadata.Name, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <param name="EndedAt">When the last request about it ended; null while one is on its way.</param>
    private readonly record struct Entry(V1Pod Pod, long? EndedAt);
}
