using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>What we have told the API server about pods and not yet seen back in the informer's cache. Laid over the cache it
/// makes our own writes visible at once, so that a stale cache can neither create a pod twice nor book a GPU twice.</summary>
/// <remarks>A creation is reserved by name before it is sent. It leaves when the cache has shown the pod, when the server has
/// refused it, or when a direct look long after says there is no such pod; in doubt (a timeout) it stays, and its GPUs with it.
/// A deletion is remembered by uid until the cache shows it. Called by <see cref="ModelDeploymentReconciler"/> and the pod informer.</remarks>
internal sealed class PodsInFlight(TimeProvider time)
{
    /// <summary>Longer than any request to the API server may take: whatever is not there by then will not appear any more.</summary>
    public static readonly TimeSpan Doubtful = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private readonly Dictionary<NamespacedName, (Pod Pod, long Since)> created = [];
    private readonly Dictionary<string, (Pod Pod, long Since)> deleted = new(StringComparer.Ordinal);

    /// <summary>All pods as they are or will be. Reads what is in flight before it reads the cache: the other way round a pod
    /// seen in between would be in neither.</summary>
    public IReadOnlyList<Replica> Overlay(Func<IReadOnlyList<Pod>> readCache)
    {
        List<Pod> pending;
        HashSet<string> deletedUids;
        lock (gate)
        {
            pending = [.. created.Values.Select(c => c.Pod)];
            deletedUids = [.. deleted.Keys];
        }

        IReadOnlyList<Pod> cached = readCache();
        HashSet<NamespacedName> known = [.. cached.Select(NamespacedName.Of)];
        return [.. cached.Concat(pending.Where(p => !known.Contains(NamespacedName.Of(p))))
            .Select(p => Replica.Of(p, p.Metadata.Uid is { } uid && deletedUids.Contains(uid)))];
    }

    /// <summary>Before the request is sent.</summary>
    public void Creating(Pod pod)
    {
        lock (gate)
        {
            created.Add(NamespacedName.Of(pod), (pod, time.GetTimestamp()));
        }
    }

    /// <summary>The server has the pod; the cache will.</summary>
    public void Created(Pod pod)
    {
        lock (gate)
        {
            NamespacedName key = NamespacedName.Of(pod);
            if (created.TryGetValue(key, out (Pod Pod, long Since) entry))
            {
                created[key] = (pod, entry.Since);
            }
        }
    }

    /// <summary>The server has definitely not made the pod.</summary>
    public void NotCreated(Pod pod)
    {
        lock (gate)
        {
            created.Remove(NamespacedName.Of(pod));
        }
    }

    /// <summary>Before the request is sent.</summary>
    public void Deleting(Pod pod)
    {
        if (pod.Metadata.Uid is { } uid)
        {
            lock (gate)
            {
                deleted[uid] = (pod, time.GetTimestamp());
            }
        }
    }

    /// <summary>The server has definitely not deleted the pod.</summary>
    public void NotDeleted(Pod pod)
    {
        lock (gate)
        {
            deleted.Remove(pod.Metadata.Uid ?? "");
        }
    }

    /// <summary>The pod informer's handler: the cache has caught up with this pod.</summary>
    public void Observe(ObjectChange<Pod> change)
    {
        lock (gate)
        {
            created.Remove(NamespacedName.Of(change.Object));
            if (change.Type == ChangeType.Deleted || change.Object.Metadata.DeletionTimestamp is not null)
            {
                deleted.Remove((change.Before ?? change.Object).Metadata.Uid ?? "");
                deleted.Remove(change.Object.Metadata.Uid ?? "");
            }
        }
    }

    /// <summary>Whether anything about pods of this owner is still in flight.</summary>
    public bool Concerns(string ownerUid)
    {
        lock (gate)
        {
            return created.Values.Concat(deleted.Values).Any(e => Replica.Of(e.Pod).OwnerUid == ownerUid);
        }
    }

    /// <summary>Asks the server itself about everything in flight for longer than <see cref="Doubtful"/>.</summary>
    public async Task ResolveAsync(IKubernetesClient client, CancellationToken cancellationToken)
    {
        List<(Pod Pod, bool IsDeletion)> doubtful;
        lock (gate)
        {
            doubtful = [.. created.Values.Where(IsDoubtful).Select(e => (e.Pod, false)), .. deleted.Values.Where(IsDoubtful).Select(e => (e.Pod, true))];
        }

        foreach ((Pod pod, bool isDeletion) in doubtful)
        {
            Pod? live = await FindAsync(client, pod, cancellationToken).ConfigureAwait(false);
            if (isDeletion && live?.Metadata is { DeletionTimestamp: null } metadata && metadata.Uid == pod.Metadata.Uid)
            {
                NotDeleted(pod);
            }
            else if (!isDeletion && (live is null || Replica.Of(live).OwnerUid != Replica.Of(pod).OwnerUid))
            {
                NotCreated(pod);
            }
        }
    }

    private bool IsDoubtful((Pod Pod, long Since) entry) => time.GetElapsedTime(entry.Since) >= Doubtful;

    private static async Task<Pod?> FindAsync(IKubernetesClient client, Pod pod, CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync<Pod>(pod.Metadata.Namespace, pod.Metadata.Name, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }
}
