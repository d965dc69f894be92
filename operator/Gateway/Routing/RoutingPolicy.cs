namespace Cluster.Operator.Gateway.Routing;

/// <summary>How a replica is chosen for a request.</summary>
internal enum RoutingPolicy
{
    /// <summary>Where the longest beginning of the prompt was computed before, within bounds of load.</summary>
    Prefix,

    /// <summary>Where the fewest tokens are left to compute.</summary>
    LeastLoaded,

    /// <summary>One after the other.</summary>
    RoundRobin,
}
