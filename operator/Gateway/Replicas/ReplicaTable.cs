using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>Follows ModelDeployments and their pods at the API server, and shows them as <see cref="RoutingSnapshot"/>s. While the API
/// server is away, the last snapshot stays. Read by everything that routes.</summary>
internal sealed class ReplicaTable
{
    private readonly GatewayOptions _options;
    private readonly Informer<ModelDeployment> _deployments;
    private readonly Informer<V1Pod> _pods;
    private readonly SemaphoreSlim _dirty = new(0);
    private volatile RoutingSnapshot _snapshot = RoutingSnapshot.Empty;

    public ReplicaTable(IKubernetesClient client, GatewayOptions options)
    {
        _options = options;
        var logger = options.Logging.CreateLogger("cluster.gateway");
        _deployments = new Informer<ModelDeployment>(
            client, options.Namespace, new Selection(CachedFieldsOnly: true), options.Time, options.Random, logger, Readiness);
        _pods = new Informer<V1Pod>(
            client, options.Namespace, new Selection(ApiNames.DeploymentLabel, CachedFieldsOnly: true), options.Time, options.Random,
            logger, Readiness);
        _deployments.OnChange(_ => _dirty.Release());
        _pods.OnChange(_ => _dirty.Release());
    }

    /// <summary>Raised after the snapshot has changed.</summary>
    public event Action<RoutingSnapshot>? Changed;

    /// <summary>What the informers wait for.</summary>
    public Readiness Readiness { get; } = new();

    public RoutingSnapshot Snapshot => _snapshot;

    /// <summary>Everything was listed once. From then on it serves with what it knows.</summary>
    public bool HasSynced => _deployments.HasSynced && _pods.HasSynced;

    public Task WhenSynced => Task.WhenAll(_deployments.WhenSynced, _pods.WhenSynced);

    /// <summary>Follows until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var following = Task.WhenAll(_deployments.RunAsync(cancellationToken), _pods.RunAsync(cancellationToken));
        try
        {
            while (true)
            {
                // A first list is a burst of changes; one snapshot shows them all.
                await _dirty.WaitAsync(cancellationToken);
                while (await _dirty.WaitAsync(0, cancellationToken))
                {
                }

                _snapshot = SnapshotBuilder.Build(
                    _deployments.Store.List(), _pods.Store.List(), _options.MasterKey, _options.MaxRequestsPerReplica);
                Changed?.Invoke(_snapshot);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Told to stop.
        }

        await following;
    }
}
