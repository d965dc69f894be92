using Cluster.Common;
using Cluster.Common.Metrics;

namespace Cluster.Operator.Reconciling;

/// <summary>Asks workers how busy they are, so that scaling down ends the least loaded, and none that somebody uses beside the gateway goes
/// for want of requests. Called by <see cref="ModelDeploymentReconciler"/> and <see cref="Autoscaling.AutoscalerLoop"/>, only when ready
/// pods are about to go.</summary>
/// <param name="read">GET: the body of an answer with status 200; throws otherwise.</param>
internal sealed class WorkerLoads(Func<Uri, CancellationToken, Task<string>> read, TimeProvider time)
{
    /// <summary>Pods asked in one go; the choice among more is made by age.</summary>
    private const int MostPods = 64;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    /// <summary>A metrics page larger than this is none.</summary>
    private const int MostBytes = 4 << 20;

    /// <summary>A client for <see cref="Over"/>. Pods run what users like, so it goes only where it is told to: a redirect would make
    /// the operator ask whatever it can reach, and a proxy is for the world outside.</summary>
    public static HttpClient CreateClient() =>
        new(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false
        })
        { MaxResponseContentBufferSize = MostBytes };

    /// <param name="client">From <see cref="CreateClient"/>; used for all requests.</param>
    public static WorkerLoads Over(HttpClient client, TimeProvider time) => new(client.GetStringAsync, time);

    /// <param name="wanted">Replicas that shall stay.</param>
    /// <returns>Requests running and waiting, by pod name; without the pods that did not answer. Empty when no ready pod has to
    /// go.</returns>
    public async Task<IReadOnlyDictionary<string, double>> ReadAsync(
        IReadOnlyList<Replica> pods, int wanted, CancellationToken cancellationToken)
    {
        List<Replica> ready = [.. pods.Where(IsAskable)];
        return wanted == 0 || ready.Count <= wanted ? new Dictionary<string, double>() : await AskAsync(ready, cancellationToken);
    }

    /// <summary>Requests running and waiting of all ready pods that answer, by pod name.</summary>
    public Task<IReadOnlyDictionary<string, double>> ReadAllAsync(IReadOnlyList<Replica> pods, CancellationToken cancellationToken) =>
        AskAsync([.. pods.Where(IsAskable)], cancellationToken);

    private static bool IsAskable(Replica pod) => pod.Ready && pod.Pod.Status?.PodIP is not null;

    private async Task<IReadOnlyDictionary<string, double>> AskAsync(List<Replica> ready, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = new(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        var answers = await Task.WhenAll(ready.Take(MostPods).Select(async pod => (pod.Name, Load: await LoadAsync(pod, either.Token))));
        cancellationToken.ThrowIfCancellationRequested();
        return answers.Where(a => a.Load is not null).ToDictionary(a => a.Name, a => a.Load!.Value, StringComparer.Ordinal);
    }

    private async Task<double?> LoadAsync(Replica pod, CancellationToken cancellationToken)
    {
        try
        {
            return Sum(
                await read(new UriBuilder("http", pod.Pod.Status!.PodIP!, WorkerFlags.DefaultHttpPort, "metrics").Uri, cancellationToken));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or UriFormatException)
        {
            return null; // A worker that cannot answer must not keep the others from being scaled down.
        }
    }

    /// <param name="metrics">Prometheus text.</param>
    private static double? Sum(string metrics)
    {
        double? sum = null;
        foreach (var sample in MetricsReader.Read(metrics).Where(s => s.Name is WorkerMetricNames.Running or WorkerMetricNames.Waiting))
        {
            sum = (sum ?? 0) + sample.Value;
        }

        return sum;
    }
}
