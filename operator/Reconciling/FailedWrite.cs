using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>An object of a deployment that could not be written.</summary>
/// <param name="HoldsUpPods">Pods are of no use without it.</param>
internal sealed record FailedWrite(KubernetesException Cause, bool HoldsUpPods)
{
    public Refusal AsRefusal() => new(Refusal.OfOther, StableText.Of(Cause.Message, [])) { HoldsUpPods = HoldsUpPods };

    /// <summary>Whether a person should read of it in a condition: not of a conflict, which the next try settles, nor of a server that was
    /// not reached, which would not take the condition either, nor of what ends with its namespace.</summary>
    public static bool IsTold(KubernetesException e) =>
        e is { StatusCode: >= 400 and not 404, IsConflict: false, IsNamespaceTerminating: false };
}
