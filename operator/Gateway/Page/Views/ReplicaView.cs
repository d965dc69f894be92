using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Gateway.Page.Views;

/// <summary>What a replica is to the page.</summary>
internal enum ReplicaPhase
{
    Pending,
    Starting,
    Serving,
    Ending,
    Failing,

    /// <summary>Its processes have ended for good.</summary>
    Ended,
}

/// <param name="Outdated">Made from an earlier spec.</param>
/// <param name="Words">Its state in a sentence.</param>
internal sealed record ReplicaView(
    string Namespace, string Pod, string? Node, IReadOnlyList<int> Gpus, ReplicaPhase State, bool Outdated, int Restarts,
    DateTimeOffset? Created, string Words)
{
    /// <param name="currentHash">Template of the current spec; null where it is not known.</param>
    public static ReplicaView From(Replica replica, string? currentHash) => new(
        replica.Pod.Metadata.NamespaceProperty ?? "", replica.Name, replica.Node, replica.Gpus, StateOf(replica),
        currentHash is not null && replica.TemplateHash != currentHash,
        replica.Pod.Status?.ContainerStatuses?.Sum(c => c.RestartCount) ?? 0,
        replica.Pod.Metadata.CreationTimestamp, WordsOf(replica));

    public static ReplicaPhase StateOf(Replica replica) =>
        replica.Terminating ? ReplicaPhase.Ending
        : PodProblem.Of(replica) is { } problem ? problem.Reason == PodProblem.Unschedulable ? ReplicaPhase.Pending : ReplicaPhase.Failing
        : replica.Finished ? ReplicaPhase.Ended
        : replica.Ready ? ReplicaPhase.Serving
        : replica.IsBound ? ReplicaPhase.Starting
        : ReplicaPhase.Pending;

    public static string WordsOf(Replica replica) => StateOf(replica) switch
    {
        ReplicaPhase.Ending => "ends: it finishes what it has",
        ReplicaPhase.Serving => "serves requests",
        ReplicaPhase.Ended => "has ended",
        ReplicaPhase.Starting => IsRunning(replica) ? "loads the model" : "starts",
        _ => PodProblem.Of(replica)?.Message ?? "waits for the scheduler",
    };

    private static bool IsRunning(Replica replica) =>
        replica.Pod.Status?.ContainerStatuses?.Any(c => c.State?.Running is not null) == true;
}
