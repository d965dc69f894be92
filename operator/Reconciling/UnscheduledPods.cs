using System.Collections.Concurrent;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>Pinned pods that the scheduler does not put on the node we chose, or that its kubelet turns back: something speaks against it
/// that we do not count, such as a host port or a volume of another zone. Asked by <see cref="ModelDeploymentReconciler"/>.</summary>
internal sealed class UnscheduledPods(TimeProvider time)
{
    /// <summary>How long what stands in the way may take to go by itself.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>How long another node is preferred then.</summary>
    private static readonly TimeSpan Avoidance = TimeSpan.FromMinutes(10);

    private const int MostRemembered = 4096;

    private readonly ConcurrentDictionary<string, long> _since = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Owner, string Node), long> _refused = new();

    public bool IsStuck(Replica pod) => IsRefused(pod) && Left(pod) <= TimeSpan.Zero;

    /// <summary>How long until one of these pods is stuck; null when none is on its way there.</summary>
    public TimeSpan? Remaining(IEnumerable<Replica> pods) =>
        pods.Where(IsRefused).Select(Left).Where(left => left > TimeSpan.Zero).Select(left => (TimeSpan?)left).Min();

    /// <summary>A pod was taken away because its node did not get it.</summary>
    public void GivenUp(Replica pod)
    {
        _since.TryRemove(pod.Uid!, out _);
        if (_refused.Count > MostRemembered)
        {
            _refused.Clear();
        }

        _refused[(pod.OwnerUid ?? "", pod.Node!)] = time.GetTimestamp();
    }

    /// <summary>Nodes that do not get a pod of this owner, or did not lately.</summary>
    /// <param name="pods">All of the owner's.</param>
    public IReadOnlySet<string> AvoidedBy(string owner, IEnumerable<Replica> pods) =>
        _refused.Where(r => r.Key.Owner == owner && time.GetElapsedTime(r.Value) < Avoidance).Select(r => r.Key.Node)
            .Concat(pods.Where(IsStuck).Select(p => p.Node!)).ToHashSet(StringComparer.Ordinal);

    /// <summary>The kubelet did not let it in (<c>OutOfmemory</c>, <c>NodeAffinity</c>, <c>UnexpectedAdmissionError</c>): it has failed,
    /// and nothing is known of containers.</summary>
    public static bool IsTurnedBack(Replica pod) =>
        pod is { IsBound: true, Node: not null, Uid: not null, Pod.Status: { Phase: "Failed" } status }
        && PodProblem.ContainersOf(status).Count == 0;

    private static bool IsRefused(Replica pod) =>
        pod is { IsBound: false, Node: not null, Uid: not null, Finished: false, Terminating: false }
        && pod.Pod.Status?.Conditions?.FirstOrDefault(
            c => c is { Type: "PodScheduled", Status: "False", Reason: PodProblem.Unschedulable }) is { } condition
        && !AwaitsClaim(condition);

    /// <summary>A volume claim that is missing or not bound yet is so on every node.</summary>
    private static bool AwaitsClaim(V1PodCondition condition) =>
        condition.Message?.Contains("persistentvolumeclaim", StringComparison.OrdinalIgnoreCase) == true;

    private TimeSpan Left(Replica pod)
    {
        if (_since.Count > MostRemembered)
        {
            _since.Clear();
        }

        return Patience - time.GetElapsedTime(_since.GetOrAdd(pod.Uid!, _ => time.GetTimestamp()));
    }
}
