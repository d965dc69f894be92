using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Reconciling;

/// <summary>Asks workers that were ready and are no more whether their devices compute wrong results: a worker that sees it does not end,
/// or its kubelet would start it anew on the same GPUs, and probes do not tell why they fail. Called by
/// <see cref="ModelDeploymentReconciler"/>.</summary>
/// <param name="read">GET: the body of the answer, whatever its status.</param>
internal sealed class WrongWorkers(Func<Uri, CancellationToken, Task<string>> read, TimeProvider time)
{
    /// <summary>How soon a worker is asked again that is unready for another reason, or did not answer, however often its deployment is
    /// looked at meanwhile.</summary>
    public static readonly TimeSpan Recheck = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Soonest = TimeSpan.FromMilliseconds(10);

    private const int MostPods = 64;
    private const int MostRemembered = 4096;
    private const int LongestMessage = 300;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    // Until the pod is gone, also while it ends and is not asked any more. By uid.
    private readonly ConcurrentDictionary<string, string> _told = new(StringComparer.Ordinal);

    // When a pod was asked last, by uid; none of one that is ready again: what it says next time is news.
    private readonly ConcurrentDictionary<string, long> _asked = new(StringComparer.Ordinal);

    /// <param name="client">From <see cref="WorkerLoads.CreateClient"/>; used for all requests.</param>
    public static WrongWorkers Over(HttpClient client, TimeProvider time) => new(
        async (uri, cancellationToken) =>
        {
            using var answer = await client.GetAsync(uri, cancellationToken);
            return await answer.Content.ReadAsStringAsync(cancellationToken);
        },
        time);

    /// <summary>How soon to ask again, where any of the pods may have something to tell that nobody announces; null where none
    /// has.</summary>
    public TimeSpan? Remaining(IReadOnlyList<Replica> pods)
    {
        TimeSpan? least = null;
        foreach (var pod in pods.Where(MayTell))
        {
            var left = Recheck - (_asked.TryGetValue(pod.Uid!, out var at) ? time.GetElapsedTime(at) : TimeSpan.Zero);
            least = least is null || left < least ? left : least;
        }

        return least is { } soon && soon < Soonest ? Soonest : least;
    }

    /// <returns>What is wrong, by the names of the pods that say so.</returns>
    public async Task<IReadOnlyDictionary<string, string>> FindAsync(IReadOnlyList<Replica> pods, CancellationToken cancellationToken)
    {
        foreach (var serving in pods.Where(p => p is { Ready: true, Uid: not null }))
        {
            _asked.TryRemove(serving.Uid!, out _);
        }

        List<Replica> asked = [.. pods.Where(p => MayTell(p) && !_told.ContainsKey(p.Uid!) && IsDue(p.Uid!)).Take(MostPods)];
        if (asked.Count > 0)
        {
            if (_asked.Count > MostRemembered)
            {
                _asked.Clear();
            }

            foreach (var pod in asked)
            {
                _asked[pod.Uid!] = time.GetTimestamp();
            }

            using CancellationTokenSource late = new(Timeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
            await Task.WhenAll(asked.Select(pod => AskAsync(pod, either.Token)));
            cancellationToken.ThrowIfCancellationRequested();
        }

        Dictionary<string, string> found = new(StringComparer.Ordinal);
        foreach (var pod in pods)
        {
            if (pod.Uid is not null && _told.TryGetValue(pod.Uid, out var message))
            {
                found[pod.Name] = message;
            }
        }

        return found;
    }

    private bool IsDue(string uid) => !_asked.TryGetValue(uid, out var at) || time.GetElapsedTime(at) >= Recheck;

    private static bool MayTell(Replica pod) =>
        pod is { Ready: false, Terminating: false, Finished: false, Uid: not null, Pod.Status.PodIP: not null }
        && pod.Pod.Status.ContainerStatuses?.Any(
            c => c is { Name: WorkerTemplate.ContainerName, Started: true, State.Running: not null }) == true;

    private async Task AskAsync(Replica pod, CancellationToken cancellationToken)
    {
        try
        {
            var body = await read(
                new UriBuilder("http", pod.Pod.Status!.PodIP!, WorkerFlags.DefaultHttpPort, "ready").Uri, cancellationToken);
            if (JsonNode.Parse(body) is JsonObject answer && answer.Text("reason") == WorkerReasons.WrongResults)
            {
                if (_told.Count > MostRemembered)
                {
                    _told.Clear();
                }

                var message = answer.Text("message") ?? "the worker does not say how";
                _told[pod.Uid!] = message.Length > LongestMessage ? $"{message[..LongestMessage]}…" : message;
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or UriFormatException
            or JsonException or InvalidOperationException or ArgumentException)
        {
            // Pods run what users like: a charset that nobody knows and a name given twice are the last two. It is asked
            // again; meanwhile it gets no requests.
        }
    }
}
