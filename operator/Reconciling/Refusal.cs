using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>What the API server does not let us write, as a condition and an event tell it.</summary>
/// <param name="Reason">Of the condition Degraded.</param>
/// <param name="Message">The server's own words, see <see cref="StableText"/>.</param>
/// <param name="OfDeletion">Something may not be deleted or let go; otherwise something may not be made.</param>
internal sealed record Refusal(string Reason, string Message, bool OfDeletion = false)
{
    public const string OfPod = "PodRefused";
    public const string OfOther = "WriteRefused";

    /// <summary>No pod is made meanwhile.</summary>
    public bool HoldsUpPods { get; init; } = true;

    /// <summary>The server has understood, and will say the same until somebody changes a policy, a quota, a role or a webhook.</summary>
    public static bool IsOne(Exception e) => e is KubernetesException { IsRefusal: true };

    /// <summary>Whether it is one that does not end with its namespace.</summary>
    public static bool Stands(Exception e) => e is KubernetesException { IsRefusal: true, IsNamespaceTerminating: false };
}
