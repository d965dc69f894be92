using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling;

/// <summary>Deployments that found too few GPUs, first come first served. When GPUs come free only as many are woken as these
/// can serve; one that cannot use them (another hive, a selector) goes to the end of the line and the next has its turn. Not
/// thread-safe; part of a <see cref="Fleet"/>, which wakes those that are returned.</summary>
internal sealed class GpuWaiters
{
    // In the order in which they tried: those that have tried what is free now are at the end.
    private readonly LinkedList<(NamespacedName Key, int Demand, long Tried)> _line = [];
    private readonly Dictionary<NamespacedName, LinkedListNode<(NamespacedName Key, int Demand, long Tried)>> _places = [];
    private long _offers;

    /// <summary>The deployment has tried whatever is free at this moment.</summary>
    /// <param name="demand">GPUs it may want at most.</param>
    public void Add(NamespacedName key, int demand)
    {
        Remove(key);
        _places[key] = _line.AddLast((key, demand, _offers));
    }

    public void Remove(NamespacedName key)
    {
        if (_places.Remove(key, out var place))
        {
            _line.Remove(place);
        }
    }

    /// <summary>There is something new to try: a GPU came free, or a node changed.</summary>
    /// <param name="free">GPUs that are free now.</param>
    /// <returns>Deployments to look at again; they have left the line.</returns>
    public IReadOnlyList<NamespacedName> Offer(int free)
    {
        _offers++;
        return Wake(free);
    }

    /// <summary>Takes those out of the line that have not tried the last offer yet. Also called after every plan: it may have left
    /// something for the next.</summary>
    /// <returns>Deployments to look at again; they have left the line.</returns>
    public IReadOnlyList<NamespacedName> Wake(int free)
    {
        List<NamespacedName> woken = [];
        while (free > 0 && _line.First is { Value: var first } && first.Tried < _offers)
        {
            Remove(first.Key);
            free -= first.Demand;
            woken.Add(first.Key);
        }

        return woken;
    }
}
