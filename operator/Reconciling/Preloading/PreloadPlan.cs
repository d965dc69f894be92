using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Preloading;

/// <summary>Decides which caches are still to be filled. No I/O, no clock.</summary>
/// <param name="Create">Targets that get a pod now.</param>
/// <param name="Delete">Pods of another model, of targets that are gone, or that ended without having filled anything.</param>
/// <param name="Nodes">How far each target is.</param>
internal sealed record PreloadPlan(
    IReadOnlyList<string> Create, IReadOnlyList<Replica> Delete, IReadOnlyList<PreloadStatus> Nodes)
{
    /// <summary>Downloads of one deployment at once: more would not be faster for whoever serves them.</summary>
    private const int MostAtOnce = 16;

    public int Done => Nodes.Count(n => n.State == PreloadState.Done);

    public bool IsWorking => Nodes.Any(n => n.State is PreloadState.Waiting or PreloadState.Loading);

    /// <param name="targets">Nodes that pods may go to, or the one cache that they share.</param>
    /// <param name="pods">Pods of the deployment that fill caches, in any state.</param>
    /// <param name="hash">Of the pods that are wanted.</param>
    public static PreloadPlan Decide(IReadOnlyList<string> targets, IReadOnlyList<Replica> pods, string hash)
    {
        var current = pods.Where(p => p.Pod.Metadata.Labels?.TryGetValue(PreloadPod.HashLabel, out var own) == true && own == hash)
            .GroupBy(TargetOf).ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
        List<Replica> delete =
        [
            .. pods.Where(p => !p.Terminating
                && (!current.TryGetValue(TargetOf(p), out var kept) || !ReferenceEquals(kept, p) || p.Pod.Status?.Phase == "Failed")),
        ];
        List<PreloadStatus> nodes = [.. targets.Order(StringComparer.Ordinal).Select(t => StatusOf(t, current.GetValueOrDefault(t)))];
        var loading = current.Values.Count(p => !p.Finished);
        return new PreloadPlan(
            [.. nodes.Select(n => n.Node).Where(t => !current.ContainsKey(t)).Take(Math.Max(0, MostAtOnce - loading))], delete, nodes);
    }

    private static string TargetOf(Replica pod) =>
        pod.Pod.Metadata.Annotations?.TryGetValue(PreloadPod.TargetAnnotation, out var target) == true ? target : "";

    private static PreloadStatus StatusOf(string target, Replica? pod)
    {
        var problem = pod is null ? null : PodProblem.Of(pod);
        var (state, message) = pod switch
        {
            null => (PreloadState.Waiting, null),
            { Pod.Status.Phase: "Succeeded" } => (PreloadState.Done, null),
            { Pod.Status.Phase: "Failed" } => (PreloadState.Failed, pod.Pod.Status.Message ?? pod.Pod.Status.Reason ?? "its pod failed"),
            _ when problem is { Reason: PodProblem.Unschedulable } => (PreloadState.Waiting, problem.Message),
            _ when problem is not null => (PreloadState.Failed, problem.Message),
            { Pod.Status.Phase: "Running" } => (PreloadState.Loading, (string?)null),
            _ => (PreloadState.Waiting, null),
        };
        return new PreloadStatus { Node = target, State = state, Message = message };
    }
}
