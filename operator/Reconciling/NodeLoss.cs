using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>When pods give up a node that stopped being ready. No clock of its own. Used by <see cref="Planner"/>, and by
/// <see cref="ModelDeploymentReconciler"/> to know when to look again.</summary>
/// <param name="Tolerance">How long pods stay with such a node; null for ever.</param>
/// <param name="UnreadyFor">How long a node has not been ready; null when it is. See <see cref="UnreadyNodes"/>.</param>
internal sealed record NodeLoss(TimeSpan? Tolerance, Func<V1Node, TimeSpan?> UnreadyFor)
{
    public static NodeLoss Never { get; } = new(null, _ => null);

    public bool IsLost(V1Node node) => Remaining(node) <= TimeSpan.Zero;

    /// <returns>Time left until the node counts as lost; null when it is ready or waited for without end.</returns>
    public TimeSpan? Remaining(V1Node node) => Tolerance - UnreadyFor(node);
}
