using Cluster.Operator.Api;

namespace Cluster.Operator.NodeAgent;

/// <summary>What node agents report about their nodes besides <see cref="ApiNames.NodeGpusAnnotation"/>.</summary>
internal static class NodeAnnotations
{
    /// <summary>Current value of <c>kernel.numa_balancing</c>: "0" is off.</summary>
    public const string NumaBalancing = ApiNames.Group + "/numa-balancing";
}
