using System.Collections.Frozen;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>All deployments and replicas at one moment. Never changes.</summary>
internal sealed class RoutingSnapshot
{
    private static readonly IReadOnlyList<ServingDeployment> None = [];

    private readonly FrozenDictionary<string, IReadOnlyList<ServingDeployment>> _models;

    public RoutingSnapshot(IEnumerable<ServingDeployment> deployments)
    {
        Deployments =
        [
            .. deployments.OrderBy(deployment => deployment.Name.Namespace, StringComparer.Ordinal)
                .ThenBy(deployment => deployment.Name.Name, StringComparer.Ordinal),
        ];
        _models = Deployments.GroupBy(deployment => deployment.ServedName, StringComparer.Ordinal)
            .ToFrozenDictionary(group => group.Key, group => (IReadOnlyList<ServingDeployment>)[.. group], StringComparer.Ordinal);
        Models = [.. _models.Keys.Order(StringComparer.Ordinal)];
    }

    public static RoutingSnapshot Empty { get; } = new([]);

    public IReadOnlyList<ServingDeployment> Deployments { get; }

    /// <summary>Served names, in order.</summary>
    public IReadOnlyList<string> Models { get; }

    public IEnumerable<ServingReplica> Replicas => Deployments.SelectMany(deployment => deployment.Replicas);

    /// <summary>The deployments of a served name: none for an unknown one, several for a canary.</summary>
    public IReadOnlyList<ServingDeployment> OfModel(string name) => _models.GetValueOrDefault(name, None);
}
