using System.Diagnostics;
using Cluster.Operator.Gateway.Routing;

namespace Cluster.Benchmarks.Gateway;

/// <summary>Traffic whose requests begin with one of some long prompts, over several replicas whose caches hold a part of those: prefix
/// against round robin, on workers that have just started.</summary>
internal static class RoutingBenchmark
{
    private const int Groups = 16;
    private const int SharedTokens = 1280;
    private const int OwnTokens = 48;
    private const int OutputTokens = 8;
    private const int Requests = 192;
    private const int Clients = 8;

    /// <summary>Room for five or six of the sixteen prompts.</summary>
    private const int BlocksPerReplica = 512;

    private const int Vocabulary = 1000;

    /// <summary>What a request's first token may take to count.</summary>
    private const double GoodMilliseconds = 150;

    public static async Task RunAsync(int replicas)
    {
        Console.WriteLine(
            $"{Requests} requests, {Clients} at once: one of {Groups} beginnings of {SharedTokens} tokens, {OwnTokens} of their own, "
            + $"{OutputTokens} out; {replicas} replicas with {BlocksPerReplica} blocks of 16 tokens each; "
            + $"{Environment.ProcessorCount} cores");
        Console.WriteLine("routing        hit rate   TTFT p50    p99 (ms)   requests/s   within " + $"{GoodMilliseconds} ms   goodput/s");
        var all = await MeasureAsync(RoutingPolicy.Prefix, 1, BlocksPerReplica * replicas);
        Print("one, all cache", all);
        var turns = await MeasureAsync(RoutingPolicy.RoundRobin, replicas, BlocksPerReplica);
        Print("round-robin", turns);
        var least = await MeasureAsync(RoutingPolicy.LeastLoaded, replicas, BlocksPerReplica);
        Print("least-loaded", least);
        var prefix = await MeasureAsync(RoutingPolicy.Prefix, replicas, BlocksPerReplica);
        Print("prefix", prefix);
        Console.WriteLine(
            $"prefix over round-robin: requests/s {prefix.PerSecond / turns.PerSecond:0.00}x, goodput "
            + $"{prefix.Goodput / Math.Max(turns.Goodput, 0.01):0.00}x; hit rate of one replica kept: {prefix.HitRate / all.HitRate:0%}");
    }

    private static async Task<Result> MeasureAsync(RoutingPolicy routing, int replicas, int blocks)
    {
        await using var fleet = await WorkerFleet.StartAsync(replicas, "--num-gpu-blocks-override", $"{blocks}", "--probe-interval", "0");
        await using var gateway = await fleet.StartGatewayAsync(routing);
        using var http = new HttpClient();
        var queue = new Queue<object>(Traffic());
        List<StreamedRequest> done = [];
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            while (true)
            {
                object next;
                lock (queue)
                {
                    if (!queue.TryDequeue(out next!))
                    {
                        return;
                    }
                }

                var one = await StreamedRequest.SendAsync(http, gateway.HttpAddress, next);
                lock (done)
                {
                    done.Add(one);
                }
            }
        }));
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var hits = await fleet.MetricAsync("vllm:prefix_cache_hits_total") / await fleet.MetricAsync("vllm:prefix_cache_queries_total");
        var good = done.Count(one => one.FirstEvent <= GoodMilliseconds);
        return new Result(
            hits, StreamedRequest.Percentile(done.Select(one => one.FirstEvent), 0.5),
            StreamedRequest.Percentile(done.Select(one => one.FirstEvent), 0.99), done.Count / seconds, (double)good / done.Count,
            good / seconds);
    }

    /// <summary>The same for every run.</summary>
    private static IEnumerable<object> Traffic()
    {
        var random = new Random(17);
        int[][] beginnings = [.. Enumerable.Range(0, Groups).Select(_ => Draw(random, SharedTokens))];
        for (var i = 0; i < Requests; i++)
        {
            yield return new
            {
                model = WorkerFleet.Model,
                prompt = beginnings[random.Next(Groups)].Concat(Draw(random, OwnTokens)).ToArray(),
                max_tokens = OutputTokens,
                ignore_eos = true,
                temperature = 0,
                stream = true,
            };
        }
    }

    private static int[] Draw(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(3, Vocabulary))];

    private static void Print(string name, Result result) => Console.WriteLine(
        $"{name,-14} {result.HitRate,8:0%} {result.Median,10:0} {result.Late,10:0} {result.PerSecond,12:0.0} {result.Good,12:0%} "
        + $"{result.Goodput,14:0.0}");

    private sealed record Result(double HitRate, double Median, double Late, double PerSecond, double Good, double Goodput);
}
