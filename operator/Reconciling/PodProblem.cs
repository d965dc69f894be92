using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>What is wrong with a pod, as a person wants to read it in a condition.</summary>
/// <param name="Reason">CamelCase.</param>
/// <param name="CrashedContainer">The container that ended without last words, so that its log is worth reading; else null.</param>
internal sealed record PodProblem(string Reason, string Message, string? CrashedContainer = null)
{
    public const string Unschedulable = "Unschedulable";

    private static readonly HashSet<string> BadWaits = new(StringComparer.Ordinal)
    {
        "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError",
        "RunContainerError",
    };

    /// <returns>Null for a pod that serves, is on its way to, or is being deleted.</returns>
    public static PodProblem? Of(Replica replica)
    {
        var status = replica.Pod.Status;
        if (status is null || replica.Ready || replica.Terminating)
        {
            return null;
        }

        foreach (var container in ContainersOf(status))
        {
            if (OfContainer(replica, container) is { } problem)
            {
                return problem;
            }
        }

        if (replica.Finished)
        {
            return new PodProblem(
                status.Reason ?? "PodFailed", $"pod {replica.Name} ended ({status.Phase}): {status.Message ?? "no message"}");
        }

        return status.Conditions?.FirstOrDefault(
            c => c is { Type: "PodScheduled", Status: "False", Reason: Unschedulable }) is { } unscheduled
            ? new PodProblem(Unschedulable, $"pod {replica.Name} cannot be scheduled: {unscheduled.Message}")
            : null;
    }

    /// <summary>In the order in which they start, but for init containers that have done their work: those have ended with 0, and are no
    /// problem.</summary>
    public static IReadOnlyList<V1ContainerStatus> ContainersOf(V1PodStatus status) =>
        [.. (status.InitContainerStatuses ?? []).Where(c => c.State?.Terminated?.ExitCode != 0), .. status.ContainerStatuses ?? []];

    private static PodProblem? OfContainer(Replica replica, V1ContainerStatus container)
    {
        var ended = container.State?.Terminated ?? container.LastState?.Terminated;
        if (ended is not null && (container.RestartCount > 0 || container.State?.Terminated is not null))
        {
            var why = ended.Signal is { } signal ? $"was killed by signal {signal}" : $"exited with code {ended.ExitCode}";
            var reason = ended.Reason is null or "Error" or "Completed" ? "" : $" ({ended.Reason})";
            var restarts = container.RestartCount switch { 0 => "", 1 => ", 1 restart", var count => $", {count} restarts" };
            var words = ended.Message?.Trim() ?? "";
            return new PodProblem(
                ended.Reason == "OOMKilled" ? "OutOfMemory" : "WorkerCrashed",
                $"pod {replica.Name}: container {container.Name} {why}{reason}{restarts}{(words.Length > 0 ? ": " + words : "")}",
                words.Length > 0 ? null : container.Name);
        }

        return container.State?.Waiting is { Reason: { } waiting } wait && BadWaits.Contains(waiting)
            ? new PodProblem(
                waiting, $"pod {replica.Name}: container {container.Name} is waiting: {StableText.Of(wait.Message ?? waiting, [])}")
            : null;
    }
}
