using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Every worker pod as it is or will be (the informer's cache with our own writes in flight laid over it), by owner and
/// by node, with one <see cref="GpuLedger"/> of what they hold. Follows changes one at a time; safe for any thread. Read by
/// <see cref="PodActions"/> and <see cref="Triggers"/>.</summary>
/// <remarks>Level-triggered: a change only says which pod or node to look at again, and what is there now is what counts, so
/// that handlers may run late, twice or in another order than the writes they tell of.
/// Calls go one way: the fleet calls <see cref="Planner"/>, <see cref="WorkerPod"/>, <see cref="PodsInFlight"/>, <see cref="GpuLedger"/>
/// and <see cref="GpuWaiters"/> under its lock, and none of them calls back. Deployments are woken after the lock is left.</remarks>
internal sealed class Fleet
{
    private const string NameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

    private readonly ObjectStore<V1Pod> _pods;
    private readonly ObjectStore<V1Node> _nodes;
    private readonly PodsInFlight _inFlight;
    private readonly GpuLedger _ledger;
    private readonly Action<NamespacedName> _wake;
    private readonly Lock _gate = new();
    private readonly Dictionary<NamespacedName, Replica> _replicas = [];
    private readonly Dictionary<string, HashSet<NamespacedName>> _byOwner = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<NamespacedName>> _byNode = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<NamespacedName>> _orphans = new(StringComparer.Ordinal);
    private readonly GpuWaiters _waiters = new();

    /// <param name="inFlight">Our own writes; from here on only the fleet changes them.</param>
    /// <param name="ledger">Empty; from here on only the fleet changes it.</param>
    /// <param name="wake">Called for a deployment that should be looked at again, on the thread of the change, outside the lock.</param>
    public Fleet(ObjectStore<V1Pod> pods, ObjectStore<V1Node> nodes, PodsInFlight inFlight, GpuLedger ledger, Action<NamespacedName> wake)
    {
        _pods = pods;
        _nodes = nodes;
        _inFlight = inFlight;
        _ledger = ledger;
        _wake = wake;
    }

    /// <summary>The pods of this owner, by name.</summary>
    public IReadOnlyList<Replica> OwnedBy(string uid)
    {
        lock (_gate)
        {
            return Select(_byOwner, uid);
        }
    }

    /// <summary>The pods without a controller that the services of this deployment select, by name.</summary>
    public IReadOnlyList<Replica> OrphansOf(NamespacedName deployment)
    {
        lock (_gate)
        {
            return Select(_orphans, deployment.ToString());
        }
    }

    /// <summary>The pods that were put on this node or have GPUs booked there, by name.</summary>
    public IReadOnlyList<Replica> On(string node)
    {
        lock (_gate)
        {
            return Select(_byNode, node);
        }
    }

    /// <summary>Every node as it is now.</summary>
    public IReadOnlyList<GpuNode> Nodes()
    {
        lock (_gate)
        {
            return _ledger.Nodes;
        }
    }

    /// <summary>Plans for a deployment and reserves what the plan chose, under one lock for all deployments, so that no two plans can
    /// choose the same GPU.</summary>
    /// <param name="template">What new pods are made from; null to take everything down.</param>
    /// <param name="random">For the names of new pods.</param>
    public PreparedPlan Prepare(ModelDeployment deployment, WorkerTemplate? template, PlanRequest request, Random random)
    {
        PreparedPlan prepared;
        List<NamespacedName> woken = [];
        lock (_gate)
        {
            var owned = Select(_byOwner, deployment.Metadata.Uid!);
            var plan = _ledger.Tentatively(free => Planner.Decide(request, owned, free));
            prepared = new PreparedPlan(plan, Reserve(plan, deployment, template, random, woken));
            Wait(NamespacedName.Of(deployment), plan.Shortage is null ? null : request.GpusWanted, woken);
        }

        Wake(woken);
        return prepared;
    }

    /// <summary>Has the deployment looked at again when nodes change or GPUs come free, as if it had found too few.</summary>
    public void WaitForNodes(NamespacedName deployment)
    {
        List<NamespacedName> woken = [];
        lock (_gate)
        {
            Wait(deployment, demand: 1, woken);
        }

        Wake(woken);
    }

    /// <summary>The pod informer's handler: the cache has caught up with this pod.</summary>
    public void Observe(ObjectChange<V1Pod> change)
    {
        List<NamespacedName> woken = [];
        lock (_gate)
        {
            _inFlight.Observe(change);
            Look(NamespacedName.Of(change.Object), woken);
        }

        Wake(woken);
    }

    /// <summary>The node informer's handler.</summary>
    public void Observe(ObjectChange<V1Node> change)
    {
        lock (_gate)
        {
            var name = change.Object.Metadata.Name;
            if (_nodes.Get(new NamespacedName("", name)) is { } node)
            {
                _ledger.Put(node);
            }
            else
            {
                _ledger.RemoveNode(name);
            }
        }
    }

    /// <summary>A node changed in a way that may let waiting deployments in.</summary>
    public void OfferAll()
    {
        IReadOnlyList<NamespacedName> woken;
        lock (_gate)
        {
            woken = _waiters.Offer(_ledger.FreeCount);
        }

        Wake(woken);
    }

    /// <summary>The server has the pod; the cache will.</summary>
    public void Created(V1Pod pod) => Apply(pod, _inFlight.Created);

    /// <summary>The server has definitely not made the pod.</summary>
    public void NotCreated(V1Pod pod) => Apply(pod, _inFlight.NotCreated);

    /// <summary>The server has definitely not deleted the pod.</summary>
    public void NotDeleted(V1Pod pod) => Apply(pod, _inFlight.NotDeleted);

    /// <summary>No request about this pod is on its way any more, however the last one ended.</summary>
    public void Ended(V1Pod pod)
    {
        lock (_gate)
        {
            _inFlight.Ended(pod);
        }
    }

    /// <summary>Whether anything about pods of this owner is still in flight.</summary>
    public bool HasInFlight(string ownerUid)
    {
        lock (_gate)
        {
            return _inFlight.Concerns(ownerUid);
        }
    }

    /// <summary>Pods about which the server itself has to be asked.</summary>
    public IReadOnlyList<PodInDoubt> InDoubt()
    {
        lock (_gate)
        {
            return _inFlight.InDoubt();
        }
    }

    private void Apply(V1Pod pod, Action<V1Pod> change)
    {
        List<NamespacedName> woken = [];
        lock (_gate)
        {
            change(pod);
            Look(NamespacedName.Of(pod), woken);
        }

        Wake(woken);
    }

    private void Wake(IReadOnlyList<NamespacedName> deployments)
    {
        foreach (var deployment in deployments)
        {
            _wake(deployment);
        }
    }

    // Everything below is called under the lock; who is to be woken after it is gathered in a list.

    private List<NewPod> Reserve(Plan plan, ModelDeployment deployment, WorkerTemplate? template, Random random, List<NamespacedName> woken)
    {
        List<NewPod> created = [];
        foreach (var action in plan.Actions)
        {
            if (action is CreatePod create)
            {
                var manifest = WorkerPod.Build(template!, deployment.Spec, NewName(deployment, random), create.Placement);
                created.Add(new NewPod(manifest, KubernetesJson.Read<V1Pod>(manifest, KubernetesJson.CachedFieldsOptions)));
                _inFlight.Creating(created[^1].Pod);
                Look(NamespacedName.Of(created[^1].Pod), woken);
            }
            else if (action is DeletePod delete)
            {
                _inFlight.Deleting(delete.Pod.Pod);
                Look(NamespacedName.Of(delete.Pod.Pod), woken);
            }
        }

        return created;
    }

    private string NewName(ModelDeployment deployment, Random random)
    {
        while (true)
        {
            var name = $"{deployment.Metadata.Name}-{new string(random.GetItems<char>(NameAlphabet, 5))}";
            NamespacedName key = new(deployment.Metadata.NamespaceProperty ?? "", name);
            if (_pods.Get(key) is null && _inFlight.Pending(key) is null)
            {
                return name;
            }
        }
    }

    /// <param name="demand">GPUs that the deployment may want at most; null when it has what it wants.</param>
    private void Wait(NamespacedName deployment, int? demand, List<NamespacedName> woken)
    {
        _waiters.Remove(deployment);
        if (demand is { } gpus)
        {
            _waiters.Add(deployment, gpus);
        }

        // The plan may have left something for the next in line.
        woken.AddRange(_waiters.Wake(_ledger.FreeCount));
    }

    private void Look(NamespacedName key, List<NamespacedName> woken)
    {
        var pod = _pods.Get(key) ?? _inFlight.Pending(key);
        var now = pod is null ? null : Replica.Of(pod, pod.Metadata.Uid is { } uid && _inFlight.IsDeleting(uid));
        Forget(key);
        var (free, given) = (_ledger.FreeCount, _ledger.RoomGiven);
        if (now is not null && (now.HoldsGpus || IsWorker(now)))
        {
            _replicas[key] = now;
            Index(_byOwner, now.OwnerUid, key);
            Index(_byNode, now.Node, key);
            Index(_orphans, OrphanOf(now), key);
        }

        if (now is null)
        {
            _ledger.RemovePod(key);
        }
        else
        {
            _ledger.Put(now);
        }

        if (_ledger.FreeCount > free || _ledger.RoomGiven > given)
        {
            woken.AddRange(_waiters.Offer(_ledger.FreeCount));
        }
    }

    /// <summary>Of other pods that hold no GPUs only the room they take counts, and a large cluster has many.</summary>
    private static bool IsWorker(Replica pod) =>
        OrphanOf(pod) is not null
        || pod.Pod.Metadata.OwnerReferences?.Any(o => o is { Controller: true, Kind: ApiNames.Kind }) == true;

    /// <summary>The deployment that may adopt it; null for a pod with a controller.</summary>
    private static string? OrphanOf(Replica pod) =>
        pod is { OwnerUid: null, DeploymentLabel: { } name }
            ? new NamespacedName(pod.Pod.Metadata.NamespaceProperty ?? "", name).ToString()
            : null;

    private void Forget(NamespacedName key)
    {
        if (_replicas.Remove(key, out var before))
        {
            Unindex(_byOwner, before.OwnerUid, key);
            Unindex(_byNode, before.Node, key);
            Unindex(_orphans, OrphanOf(before), key);
        }
    }

    private List<Replica> Select(Dictionary<string, HashSet<NamespacedName>> index, string key) =>
        index.TryGetValue(key, out var found) ? [.. found.Select(k => _replicas[k]).OrderBy(r => r.Name, StringComparer.Ordinal)] : [];

    private static void Index(Dictionary<string, HashSet<NamespacedName>> index, string? key, NamespacedName pod)
    {
        if (key is not null)
        {
            if (!index.TryGetValue(key, out var found))
            {
                index[key] = found = [];
            }

            found.Add(pod);
        }
    }

    private static void Unindex(Dictionary<string, HashSet<NamespacedName>> index, string? key, NamespacedName pod)
    {
        if (key is not null && index.TryGetValue(key, out var found) && found.Remove(pod) && found.Count == 0)
        {
            index.Remove(key);
        }
    }
}
