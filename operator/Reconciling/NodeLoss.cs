using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>When pods give up a node that stopped being ready. No clock of its own. Used by <see cref="Planner"/>, and by
/// <see cref="ModelDeploymentReconciler"/> to know when to look again.</summary>
/// <param name="Tolerance">How long pods stay with such a node; null for ever.</param>
internal sealed record NodeLoss(TimeSpan? Tolerance, DateTimeOffset Now)
{
    public static NodeLoss Never { get; } = new(null, default);

    public bool IsLost(V1Node node) => Remaining(node) <= TimeSpan.Zero;

    /// <returns>Time left until the node counts as lost; null when it is ready or waited for without end.</returns>
    public TimeSpan? Remaining(V1Node node) =>
        node.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready") is { Status: not "True", LastTransitionTime: { } since }
            ? since + Tolerance - Now
            : null;
}
