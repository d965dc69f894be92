using System.Collections.Concurrent;
using Cluster.Operator.Kubernetes;
using k8s.Models;
using KubernetesException = Cluster.Operator.Kubernetes.KubernetesException;

namespace Cluster.Operator.Reconciling;

/// <summary>Why a pod that has a node does not get its containers: a folder, a Secret or a volume that is not there, a RuntimeClass
/// without a handler. The pod's status says only that it is being created; the kubelet tells the rest in events. Called by
/// <see cref="ModelDeploymentReconciler"/>.</summary>
internal sealed class CreationTrouble(IKubernetesClient client, TimeProvider time)
{
    /// <summary>How long a pod may take, counted from when we first saw it on its way: pulling a large image takes longer, and the kubelet
    /// tells of no failure then.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private const int MostRemembered = 4096;

    private static readonly HashSet<string> Failures = new(StringComparer.Ordinal)
    {
        "FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedMountOnFilesystemMismatch", "FailedCreatePodSandBox",
        "FailedPodSandBoxStatus", "FailedCreatePodContainer", "FailedPrepareDynamicResources", "NetworkNotReady",
    };

    private readonly ConcurrentDictionary<string, Seen> _seen = new(StringComparer.Ordinal);

    /// <summary>How long until one of these pods has to be asked about; null when none has.</summary>
    public TimeSpan? Remaining(IEnumerable<Replica> pods) => pods.Where(IsBeingCreated)
        .Select(pod => Patience - time.GetElapsedTime(SeenSince(pod).AskedAt))
        .Min(left => (TimeSpan?)(left > TimeSpan.Zero ? left : TimeSpan.FromSeconds(1)));

    /// <returns>What the kubelet says of the first pod that takes too long; null when none does, or when it says nothing.</returns>
    public async Task<PodProblem?> FindAsync(IReadOnlyList<Replica> pods, CancellationToken cancellationToken)
    {
        foreach (var done in pods.Where(p => p.Uid is not null && !IsBeingCreated(p)))
        {
            _seen.TryRemove(done.Uid!, out _);
        }

        PodProblem? first = null;
        foreach (var pod in pods.Where(IsBeingCreated).OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            var seen = SeenSince(pod);
            if (time.GetElapsedTime(seen.AskedAt) >= Patience)
            {
                // One request for a pod in that time.
                _seen[pod.Uid!] = seen = new Seen(time.GetTimestamp(), await AskAsync(pod, cancellationToken) ?? seen.Problem);
            }

            first ??= seen.Problem;
        }

        return first;
    }

    private static bool IsBeingCreated(Replica pod) =>
        pod is { IsBound: true, Uid: not null, Ready: false, Terminating: false, Finished: false }
        && pod.Pod.Status is null or { Phase: null or "Pending" }
        && PodProblem.ContainersOf(pod.Pod.Status ?? new V1PodStatus())
            .All(c => c.State is null
                or { Running: null, Terminated: null, Waiting: null or { Reason: "ContainerCreating" or "PodInitializing" } });

    private Seen SeenSince(Replica pod)
    {
        if (_seen.Count > MostRemembered)
        {
            _seen.Clear();
        }

        return _seen.GetOrAdd(pod.Uid!, _ => new Seen(time.GetTimestamp(), null));
    }

    private async Task<PodProblem?> AskAsync(Replica pod, CancellationToken cancellationToken)
    {
        try
        {
            var events = await client.ListAsync<Corev1Event>(
                pod.Pod.Metadata.NamespaceProperty, new Selection(FieldSelector: $"involvedObject.uid={pod.Uid},type=Warning"),
                cancellationToken);
            var last = events.Items.Where(e => Failures.Contains(e.Reason))
                .MaxBy(e => e.LastTimestamp ?? e.EventTime ?? e.FirstTimestamp ?? DateTime.MinValue);
            return last is null
                ? null
                : new PodProblem(
                    last.Reason, $"pod {pod.Name} has no containers yet on node {pod.Node}: {StableText.Of(last.Message ?? "", [])}");
        }
        catch (Exception e) when (e is KubernetesException or HttpRequestException or IOException)
        {
            return null; // The status must not fail for want of an event.
        }
    }

    /// <param name="AskedAt">When the events were read last; at first, when the pod was seen.</param>
    private sealed record Seen(long AskedAt, PodProblem? Problem);
}
