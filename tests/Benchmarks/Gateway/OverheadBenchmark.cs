using System.Diagnostics;
using Cluster.Operator.Gateway.Routing;

namespace Cluster.Benchmarks.Gateway;

/// <summary>What the gateway adds: the same requests to one worker directly and through a gateway, in turns of small batches, with
/// everything on the same cores.</summary>
internal static class OverheadBenchmark
{
    private const int Rounds = 12;
    private const int Tokens = 64;

    public static async Task RunAsync()
    {
        await using var fleet = await WorkerFleet.StartAsync(1, "--probe-interval", "0");
        await using var gateway = await fleet.StartGatewayAsync(RoutingPolicy.Prefix);
        using var http = new HttpClient();
        var direct = new Uri($"http://{fleet.Addresses[0]}:8000");
        Console.WriteLine(
            $"{Environment.ProcessorCount} cores for client, gateway and worker; streams of {Tokens} tokens, medians and p99 in ms");
        foreach (var clients in (int[])[1, 8])
        {
            await MeasureAsync(http, direct, clients, rounds: 2);
            await MeasureAsync(http, gateway.HttpAddress, clients, rounds: 2);
            List<StreamedRequest> plain = [], relayed = [];
            for (var round = 0; round < Rounds; round++)
            {
                plain.AddRange(await MeasureAsync(http, direct, clients, rounds: 1));
                relayed.AddRange(await MeasureAsync(http, gateway.HttpAddress, clients, rounds: 1));
            }

            Print($"{clients} at once, to first token", plain.Select(one => one.FirstEvent), relayed.Select(one => one.FirstEvent));
            Print($"{clients} at once, between tokens", plain.SelectMany(one => one.Gaps), relayed.SelectMany(one => one.Gaps));
            Print($"{clients} at once, whole reply", plain.Select(one => one.Whole), relayed.Select(one => one.Whole));
        }

        foreach (var (name, address) in ((string, Uri)[])[("directly", direct), ("through the gateway", gateway.HttpAddress)])
        {
            Console.WriteLine($"one token a request, 32 at once, {name}: {await SaturateAsync(http, address):0} requests/s");
        }
    }

    private static async Task<IReadOnlyList<StreamedRequest>> MeasureAsync(HttpClient http, Uri address, int clients, int rounds)
    {
        var done = await Task.WhenAll(Enumerable.Range(0, clients).Select(async client =>
        {
            List<StreamedRequest> mine = [];
            for (var round = 0; round < rounds * 4; round++)
            {
                mine.Add(await StreamedRequest.SendAsync(http, address, Body(client, Tokens)));
            }

            return mine;
        }));
        return [.. done.SelectMany(mine => mine)];
    }

    private static async Task<double> SaturateAsync(HttpClient http, Uri address)
    {
        const int Clients = 32;
        const int Each = 60;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async client =>
        {
            for (var i = 0; i < Each; i++)
            {
                await StreamedRequest.SendAsync(http, address, Body(client, tokens: 1));
            }
        }));
        return Clients * Each / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static object Body(int client, int tokens) => new
    {
        model = WorkerFleet.Model,
        prompt = $"Write a haiku about the number {client}",
        max_tokens = tokens,
        ignore_eos = true,
        temperature = 0,
        stream = true,
    };

    private static void Print(string name, IEnumerable<double> plain, IEnumerable<double> relayed)
    {
        double[] values =
        [
            StreamedRequest.Percentile(plain, 0.5), StreamedRequest.Percentile(relayed, 0.5),
            StreamedRequest.Percentile(plain, 0.99), StreamedRequest.Percentile(relayed, 0.99),
        ];
        Console.WriteLine(
            $"{name,-28} p50 {values[0]:0.000} → {values[1]:0.000} ({values[1] - values[0]:+0.000;-0.000})   "
            + $"p99 {values[2]:0.000} → {values[3]:0.000} ({values[3] - values[2]:+0.000;-0.000})");
    }
}
