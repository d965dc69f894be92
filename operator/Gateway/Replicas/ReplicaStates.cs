using System.Collections.Concurrent;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>The states of all replicas that are there, and of none that is gone.</summary>
internal sealed class ReplicaStates
{
    private readonly ConcurrentDictionary<ReplicaIdentity, ReplicaState> _states = new();

    public ReplicaState Of(ServingReplica replica) =>
        _states.GetOrAdd(replica.Identity, static identity => new ReplicaState(identity));

    /// <summary>Forgets the replicas that a snapshot does not have.</summary>
    public void Keep(RoutingSnapshot snapshot)
    {
        HashSet<ReplicaIdentity> present = [.. snapshot.Replicas.Select(replica => replica.Identity)];
        foreach (var identity in _states.Keys)
        {
            if (!present.Contains(identity))
            {
                _states.TryRemove(identity, out _);
            }
        }
    }
}
