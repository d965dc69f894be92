using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>The last log lines of a crashed worker that left no termination message, for the Degraded condition.</summary>
internal static class LastWords
{
    private const int Lines = 5;

    /// <returns>By pod name; only the first crashed pod, the one the condition is about. Empty when its log cannot be read.</returns>
    public static async Task<IReadOnlyDictionary<string, string>> ReadAsync(
        IKubernetesClient client, IReadOnlyList<Replica> pods, CancellationToken cancellationToken)
    {
        foreach (var pod in pods.OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            if (PodProblem.Of(pod) is not { } problem)
            {
                continue;
            }

            if (problem.CrashedContainer is not { } container)
            {
                break;
            }

            var restarted = PodProblem.ContainersOf(pod.Pod.Status!).Any(c => c.Name == container && c.State?.Terminated is null);
            try
            {
                var log = await client.ReadLogAsync(
                    pod.Pod.Metadata.NamespaceProperty!, pod.Name, container, Lines, restarted, cancellationToken);
                return new Dictionary<string, string> { [pod.Name] = log };
            }
            catch (Exception e) when (e is KubernetesException or HttpRequestException or IOException)
            {
                break; // The status must not fail for want of a log.
            }
        }

        return new Dictionary<string, string>();
    }
}
