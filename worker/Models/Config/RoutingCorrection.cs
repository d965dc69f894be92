namespace Cluster.Worker.Models.Config;

/// <summary>What is added to experts' scores for the choice, and how a checkpoint stores it.</summary>
internal enum RoutingCorrection
{
    None,

    /// <summary><c>[experts]</c>.</summary>
    Vector,

    /// <summary><c>[1, experts]</c>.</summary>
    Row,
}
