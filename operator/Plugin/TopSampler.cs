using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Plugin;

/// <summary>Looks at replicas and asks each for its metrics, and remembers what they said the last time: rates are of the time between two
/// looks. Called by <c>kubectl mdep top</c>.</summary>
internal sealed class TopSampler(ClusterAccess cluster, string? apiKey, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Workers asked at once.</summary>
    private const int MostAtOnce = 32;

    private const int MostBytes = 4 << 20;

    private readonly Dictionary<string, Known> _known = new(StringComparer.Ordinal);

    /// <param name="list">The deployments to show.</param>
    /// <param name="namespace">Of all of them; null for any.</param>
    /// <returns>A row for each replica, in the order of the deployments. The rates of the first look are 0.</returns>
    public async Task<IReadOnlyList<TopRow>> LookAsync(
        Func<CancellationToken, Task<IReadOnlyList<ModelDeployment>>> list, string? @namespace, CancellationToken cancellationToken)
    {
        var deployments = await list(cancellationToken);
        var pods = deployments switch
        {
            [] => [],
            [var only] => await cluster.WorkersAsync(only, cancellationToken),
            _ => await cluster.AllWorkersAsync(@namespace, cancellationToken),
        };
        var byDeployment = pods.ToLookup(pod => (pod.Metadata.NamespaceProperty, pod.GetLabel(ApiNames.DeploymentLabel)));
        var rows = deployments.SelectMany(
            deployment => byDeployment[(deployment.Metadata.NamespaceProperty, deployment.Metadata.Name)]
                .OrderBy(pod => pod.Metadata.Name, StringComparer.Ordinal).Select(pod => (Deployment: deployment, Pod: pod))).ToList();
        Forget(rows.Select(row => row.Pod.Metadata.Uid).ToHashSet(StringComparer.Ordinal));
        using SemaphoreSlim turns = new(MostAtOnce);
        return await Task.WhenAll(rows.Select(row => RowAsync(row.Deployment, row.Pod, turns, cancellationToken)));
    }

    public void Dispose() => Forget([]);

    private async Task<TopRow> RowAsync(ModelDeployment deployment, V1Pod pod, SemaphoreSlim turns, CancellationToken cancellationToken)
    {
        var replica = Replica.Of(pod);
        if (replica.Finished || pod.Status?.PodIP is null)
        {
            return TopRow.Of(deployment, replica, null, "it does not run");
        }

        var known = Remember(pod);
        await turns.WaitAsync(cancellationToken);
        try
        {
            var (figures, error) = await AskAsync(known.Http, cancellationToken);
            var (before, at) = (known.Figures, known.At);
            (known.Figures, known.At) = (figures, time.GetTimestamp());
            return TopRow.Of(
                deployment, replica,
                figures is null ? null : TopLoad.Of(before ?? figures, figures, time.GetElapsedTime(at, known.At)), error);
        }
        finally
        {
            turns.Release();
        }
    }

    private async Task<(WorkerFigures? Figures, string? Error)> AskAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = new(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            using var response = await http.GetAsync(new Uri("/metrics", UriKind.Relative), either.Token);
            var page = await response.Content.ReadAsStringAsync(either.Token);
            return response.IsSuccessStatusCode
                ? (WorkerFigures.Of(page), null)
                : (null, $"/metrics answered {(int)response.StatusCode}");
        }
        catch (HttpRequestException error)
        {
            // What a role lacks it lacks for every pod: one answer is enough.
            return ReplicaHttp.Cause<CommandFailure>(error) is { } missing ? throw missing : (null, ReplicaHttp.Reason(error));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, $"/metrics did not answer within {Patience.TotalSeconds:0} s");
        }
    }

    private Known Remember(V1Pod pod)
    {
        lock (_known)
        {
            if (!_known.TryGetValue(pod.Metadata.Uid, out var known))
            {
                var http = ReplicaHttp.Over(cluster.Pods, pod, apiKey);
                http.MaxResponseContentBufferSize = MostBytes;
                _known[pod.Metadata.Uid] = known = new Known(http);
            }

            return known;
        }
    }

    private void Forget(HashSet<string> staying)
    {
        lock (_known)
        {
            foreach (var (uid, known) in _known.Where(one => !staying.Contains(one.Key)).ToList())
            {
                known.Http.Dispose();
                _known.Remove(uid);
            }
        }
    }

    private sealed class Known(HttpClient http)
    {
        public HttpClient Http { get; } = http;

        public WorkerFigures? Figures { get; set; }

        public long At { get; set; }
    }
}
