using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling.Autoscaling;

/// <summary>Knows what clients want of deployments. Asked by <see cref="AutoscalerLoop"/>.</summary>
internal interface IDemandSource
{
    /// <summary>What is wanted of each of these deployments; of one that is not known, why.</summary>
    Task<IReadOnlyDictionary<NamespacedName, Demand>> ReadAsync(
        IReadOnlyCollection<NamespacedName> deployments, CancellationToken cancellationToken);
}
