using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Every worker pod as it is or will be (the informer's cache with our own writes in flight laid over it), by owner and
/// by node, with one <see cref="GpuLedger"/> of what they hold. Follows changes one at a time; safe for any thread. Read by
/// <see cref="PodActions"/> and <see cref="Triggers"/>.</summary>
/// <remarks>Level-triggered: a change only says which pod or node to look at again, and what is there now is what counts, so
/// that handlers may run late, twice or in another order than the writes they tell of.</remarks>
internal sealed class Fleet
{
    private readonly ObjectStore<V1Pod> pods;
    private readonly ObjectStore<V1Node> nodes;
    private readonly PodsInFlight inFlight;
    private readonly Lock gate = new();
    private readonly Dictionary<NamespacedName, Replica> replicas = [];
    private readonly Dictionary<string, HashSet<NamespacedName>> byOwner = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<NamespacedName>> byNode = new(StringComparer.Ordinal);
    private readonly GpuLedger ledger = new([], []);
    private readonly GpuWaiters waiters;

    /// <param name="inFlight">Tells of every pod whose state changed, in the cache or by a write of ours.</param>
    /// <param name="wake">Called under the lock for a deployment that should be looked at again.</param>
    public Fleet(ObjectStore<V1Pod> pods, ObjectStore<V1Node> nodes, PodsInFlight inFlight, Action<NamespacedName> wake)
    {
        this.pods = pods;
        this.nodes = nodes;
        this.inFlight = inFlight;
        waiters = new GpuWaiters(wake);
        inFlight.Changed += Look;
    }

    /// <summary>The pods of this owner, by name.</summary>
    public IReadOnlyList<Replica> OwnedBy(string uid) => Select(byOwner, uid);

    /// <summary>The pods that were put on this node or have GPUs booked there, by name.</summary>
    public IReadOnlyList<Replica> On(string node) => Select(byNode, node);

    /// <summary>Every node as it is now.</summary>
    public IReadOnlyList<GpuNode> Nodes()
    {
        lock (gate)
        {
            return ledger.Nodes;
        }
    }

    /// <summary>Whether the name is taken by a pod we know of.</summary>
    public bool IsTaken(NamespacedName key) => pods.Get(key) is not null || inFlight.Pending(key) is not null;

    /// <summary>Decides and reserves under one lock for all deployments, so that no two decisions can choose the same GPU.</summary>
    /// <param name="decide">Must reserve what it decided through <see cref="PodsInFlight"/> before it returns.</param>
    public PreparedPlan Decide(NamespacedName deployment, int demand, Func<GpuLedger, PreparedPlan> decide)
    {
        lock (gate)
        {
            PreparedPlan prepared = decide(ledger);
            waiters.Remove(deployment);
            if (prepared.Plan.Shortage is not null)
            {
                waiters.Add(deployment, demand);
            }

            waiters.Wake(ledger.FreeCount);
            return prepared;
        }
    }

    /// <summary>The node informer's handler.</summary>
    public void Observe(ObjectChange<V1Node> change)
    {
        lock (gate)
        {
            string name = change.Object.Metadata.Name;
            if (nodes.Get(new NamespacedName("", name)) is { } node)
            {
                ledger.Put(node);
            }
            else
            {
                ledger.RemoveNode(name);
            }
        }
    }

    /// <summary>A node changed in a way that may let waiting deployments in.</summary>
    public void OfferAll()
    {
        lock (gate)
        {
            waiters.Offer(ledger.FreeCount);
        }
    }

    private void Look(NamespacedName key)
    {
        lock (gate)
        {
            // What is in flight before the cache: the other way round, a pod that arrives in between would be in neither.
            V1Pod? pending = inFlight.Pending(key);
            V1Pod? pod = pods.Get(key) ?? pending;
            Replica? now = pod is null ? null : Replica.Of(pod, pod.Metadata.Uid is { } uid && inFlight.IsDeleting(uid));
            Forget(key);
            int free = ledger.FreeCount;
            if (now is not null && (now.HoldsGpus || IsWorker(now.Pod)))
            {
                replicas[key] = now;
                Index(byOwner, now.OwnerUid, key);
                Index(byNode, now.Node, key);
                ledger.Put(now);
            }
            else
            {
                ledger.RemovePod(key);
            }

            if (ledger.FreeCount > free)
            {
                waiters.Offer(ledger.FreeCount);
            }
        }
    }

    /// <summary>Other pods that hold no GPUs are nobody's business here, and a large cluster has many.</summary>
    private static bool IsWorker(V1Pod pod) => pod.Metadata.OwnerReferences?.Any(o => o is { Controller: true, Kind: ApiNames.Kind }) == true;

    private void Forget(NamespacedName key)
    {
        if (replicas.Remove(key, out Replica? before))
        {
            Unindex(byOwner, before.OwnerUid, key);
            Unindex(byNode, before.Node, key);
        }
    }

    private List<Replica> Select(Dictionary<string, HashSet<NamespacedName>> index, string key)
    {
        lock (gate)
        {
            return index.TryGetValue(key, out HashSet<NamespacedName>? found) ? [.. found.Select(k => replicas[k]).OrderBy(r => r.Name, StringComparer.Ordinal)] : [];
        }
    }

    private static void Index(Dictionary<string, HashSet<NamespacedName>> index, string? key, NamespacedName pod)
    {
        if (key is not null)
        {
            if (!index.TryGetValue(key, out HashSet<NamespacedName>? found))
            {
                index[key] = found = [];
            }

            found.Add(pod);
        }
    }

    private static void Unindex(Dictionary<string, HashSet<NamespacedName>> index, string? key, NamespacedName pod)
    {
        if (key is not null && index.TryGetValue(key, out HashSet<NamespacedName>? found) && found.Remove(pod) && found.Count == 0)
        {
            index.Remove(key);
        }
    }
}
