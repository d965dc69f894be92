using System.Globalization;
using Cluster.Common;
using Cluster.Common.Metrics;
using Cluster.Operator.Gateway.Relay;
using Cluster.Operator.Gateway.Routing;
using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>Reads the metrics of ready replicas every few seconds: what they have from others, how full their caches are, and how much of
/// their prompts was cached.</summary>
internal sealed class ReplicaMetrics(
    ReplicaConnections connections, ReplicaStates states, ReplicaTable table, TrafficLog traffic, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(2);
    private const int MostBytes = 4 << 20;
    private const int AtOnce = 16;

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await Parallel.ForEachAsync(
                    table.Snapshot.Replicas.Where(replica => replica.Ready && !states.Of(replica).IsSuspect),
                    new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
                    async (replica, token) => await ReadAsync(replica, token));
                await Task.Delay(Interval, time, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Told to stop.
        }
    }

    /// <param name="page">Prometheus text.</param>
    /// <returns>Null where it is no worker's page; with the number of blocks of its KV cache, 0 where that is unknown.</returns>
    public static (ReplicaLoad Load, int CacheBlocks)? Parse(string page)
    {
        var isWorkers = false;
        double running = 0, waiting = 0, usage = 0, queries = 0, hits = 0;
        var blocks = 0;
        foreach (var sample in MetricsReader.Read(page))
        {
            switch (sample.Name)
            {
                case WorkerMetricNames.Running:
                    (isWorkers, running) = (true, running + sample.Value);
                    break;
                case WorkerMetricNames.Waiting:
                    waiting += sample.Value;
                    break;
                case WorkerMetricNames.KvCacheUsage:
                    usage = Math.Max(usage, sample.Value);
                    break;
                case WorkerMetricNames.PrefixQueries:
                    queries += sample.Value;
                    break;
                case WorkerMetricNames.PrefixHits:
                    hits += sample.Value;
                    break;
                case WorkerMetricNames.CacheConfig when int.TryParse(
                    sample.Labels.GetValueOrDefault("num_gpu_blocks"), NumberStyles.None, CultureInfo.InvariantCulture, out var number):
                    blocks = number;
                    break;
            }
        }

        return isWorkers ? (new ReplicaLoad((int)running, (int)waiting, usage, (long)queries, (long)hits), blocks) : null;
    }

    private async Task ReadAsync(ServingReplica replica, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(AnswerTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(replica.Http, "/metrics"));
            using var response = await connections.Http.SendAsync(request, either.Token);
            await response.Content.LoadIntoBufferAsync(MostBytes, either.Token);
            if (response.IsSuccessStatusCode && Parse(await response.Content.ReadAsStringAsync(either.Token)) is var (load, blocks))
            {
                var state = states.Of(replica);
                state.Load = load;
                state.Prefixes.Capacity = blocks > 0 ? blocks : PrefixMemory.DefaultCapacity;
                traffic.Scraped(replica.Pod, load);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            // Who cannot tell now may next time; requests notice a dead one by themselves.
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
