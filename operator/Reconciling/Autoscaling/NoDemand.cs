using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>For an operator that was told of no gateway.</summary>
internal sealed class NoDemand : IDemandSource
{
    public Task<IReadOnlyDictionary<NamespacedName, Demand>> ReadAsync(
        IReadOnlyCollection<NamespacedName> deployments, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<NamespacedName, Demand>>(deployments.ToDictionary(
            deployment => deployment,
            _ => Demand.Unknown("the operator has no master key to ask gateways with (--gateway-key-file)")));
}
