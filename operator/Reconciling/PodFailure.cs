namespace Cluster.Operator.Reconciling;

/// <summary>Why a pod could not be created or deleted.</summary>
/// <param name="Message">For a condition: without the pod's name.</param>
/// <param name="OfDeletion">It could not be deleted.</param>
internal sealed record PodFailure(Exception Cause, string Message, bool OfDeletion)
{
    public Refusal AsRefusal() => new(Refusal.OfPod, Message, OfDeletion);
}
