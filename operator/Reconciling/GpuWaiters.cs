using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling;

/// <summary>Deployments that found too few GPUs, first come first served. When GPUs come free only as many are woken as these
/// can serve; one that cannot use them (another hive, a selector) goes to the end of the line and the next has its turn. Not
/// thread-safe; part of a <see cref="Fleet"/>.</summary>
/// <param name="wake">Looks at a deployment again soon; must not call back.</param>
internal sealed class GpuWaiters(Action<NamespacedName> wake)
{
    // In the order in which they tried: those that have tried what is free now are at the end.
    private readonly LinkedList<(NamespacedName Key, int Demand, long Tried)> line = [];
    private readonly Dictionary<NamespacedName, LinkedListNode<(NamespacedName Key, int Demand, long Tried)>> places = [];
    private long offers;

    /// <summary>The deployment has tried whatever is free at this moment.</summary>
    /// <param name="demand">GPUs it may want at most.</param>
    public void Add(NamespacedName key, int demand)
    {
        Remove(key);
        places[key] = line.AddLast((key, demand, offers));
    }

    public void Remove(NamespacedName key)
    {
        if (places.Remove(key, out LinkedListNode<(NamespacedName Key, int Demand, long Tried)>? place))
        {
            line.Remove(place);
        }
    }

    /// <summary>There is something new to try: a GPU came free, or a node changed.</summary>
    /// <param name="free">GPUs that are free now.</param>
    public void Offer(int free)
    {
        offers++;
        Wake(free);
    }

    /// <summary>Wakes who has not tried the last offer yet. Also called after every plan: it may have left something for the next.</summary>
    public void Wake(int free)
    {
        while (free > 0 && line.First is { Value: var first } && first.Tried < offers)
        {
            Remove(first.Key);
            free -= first.Demand;
            wake(first.Key);
        }
    }
}
