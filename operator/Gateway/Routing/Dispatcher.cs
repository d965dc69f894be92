using System.Collections.Concurrent;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Replicas;

namespace Cluster.Operator.Gateway.Routing;

/// <summary>Gives each request a replica, at once or after it has waited its turn: a queue for every model. Asked by the relays; told by
/// <see cref="ReplicaTable"/> what there is.</summary>
internal sealed class Dispatcher(GatewayOptions options, ReplicaTable table, ReplicaStates states)
{
    /// <summary>Models that were asked for; only names of deployments get here.</summary>
    private readonly ConcurrentDictionary<string, ModelQueue> _queues = new(StringComparer.Ordinal);

    /// <summary>Every model that has had a request, with those that are served now.</summary>
    public IEnumerable<ModelQueue> Queues => _queues.Values;

    /// <summary>Room for a request that is new.</summary>
    /// <exception cref="GatewayException">The queue is full, or nobody had room in time.</exception>
    public Task<ReplicaLease> AcquireAsync(RouteRequest request, CancellationToken cancellationToken) =>
        QueueOf(request.Model).AcquireAsync(request, isMoving: false, cancellationToken);

    /// <summary>Room for one whose replica has failed it: before all that are new.</summary>
    /// <exception cref="GatewayException">Nobody had room in time.</exception>
    public Task<ReplicaLease> MoveAsync(RouteRequest request, CancellationToken cancellationToken) =>
        QueueOf(request.Model).AcquireAsync(request, isMoving: true, cancellationToken);

    /// <summary>Whether a ready replica is left that has not failed this request.</summary>
    public bool HasOther(RouteRequest request) => QueueOf(request.Model).HasOther(request);

    /// <summary>Replicas have come, gone or recovered: those who wait may go on.</summary>
    public void Pump()
    {
        foreach (var queue in _queues.Values)
        {
            queue.Pump();
        }
    }

    private ModelQueue QueueOf(string model) =>
        _queues.GetOrAdd(model, static (name, self) => self.NewQueue(name), this);

    private ModelQueue NewQueue(string model) => new(model, options, () => table.Snapshot.OfModel(model), states);
}
