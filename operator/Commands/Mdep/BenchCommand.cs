using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Common.Benchmarking;
using Cluster.Operator.Plugin;

namespace Cluster.Operator.Commands.Mdep;

/// <summary><c>kubectl mdep bench</c>: a short load, and what its clients saw, by the definitions of the worker's <c>bench
/// serve</c>.</summary>
internal static class BenchCommand
{
    // A look, not a measurement of hours: vLLM's defaults would be 1000 prompts of 1024 tokens.
    private const int Prompts = 64;
    private const int InputTokens = 128;
    private const int OutputTokens = 64;

    public static Command Create()
    {
        var server = new ServerOptions();
        LoadFlags load = new(Prompts, InputTokens, OutputTokens);
        var output = OutputFormat.Option(OutputFormat.Json, OutputFormat.Yaml);
        var command = new TaughtCommand(
            "bench",
            "Sends a short load of random prompts to the replicas of a deployment in turn, and prints what vLLM's bench serve prints: "
            + "requests and tokens a second, TTFT, TPOT and ITL. Latencies include the way through the API server; --address avoids it. "
            + $"A key is taken from {ApiKey.Variable}.",
            """
            kubectl mdep bench haiku
            kubectl mdep bench haiku --num-prompts 200 --request-rate 5,10,20 --metric-percentiles 50,90,99
            kubectl mdep bench haiku --address http://gateway.example:8080 --max-concurrency 8 -o json
            """)
        { output };
        server.AddTo(command);
        load.AddTo(command);
        command.SetAction(async arguments =>
        {
            using var signals = new Signals();
            using var servers = await server.OpenAsync(arguments, signals.Token);
            try
            {
                return await RunAsync(servers, load, arguments, arguments.GetValue(output)!, signals.Token);
            }
            catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
            {
                return Interrupts.ExitCode;
            }
        });
        return command;
    }

    /// <returns>0; 1 when not a single request succeeded.</returns>
    private static async Task<int> RunAsync(
        Servers servers, LoadFlags load, ParseResult arguments, string format, CancellationToken cancellationToken)
    {
        var vocabulary = await TokenSource.ReadAsync(
            servers.All[0].Http, servers.Model, servers.All[0].Name, cancellationToken);
        Random random = new(arguments.GetValue(load.Seed));
        RandomDataset dataset = new(vocabulary, random);
        CompletionClient[] clients = [.. servers.All.Select(server => new CompletionClient(
            server.Http, CompletionClient.At(server.Http.BaseAddress!, "/v1/completions"), servers.Model,
            arguments.GetValue(load.IgnoreEos), TimeProvider.System))];
        await WarmUpAsync(servers, clients, dataset, cancellationToken);
        var report = load.ReportOf(arguments);
        JsonArray results = [];
        var completed = 0;
        foreach (var rate in load.RatesOf(arguments))
        {
            var prompts = dataset.Draw(
                arguments.GetValue(load.NumPrompts), arguments.GetValue(load.RandomInputLen), arguments.GetValue(load.RandomOutputLen),
                arguments.GetValue(load.RandomRangeRatio));
            var next = -1;
            var (requests, seconds) = await ServeRun.RunAsync(
                (prompt, token) => clients[Interlocked.Increment(ref next) % clients.Length].SendAsync(prompt, token), prompts,
                ArrivalProcess.Generate(prompts.Count, rate, arguments.GetValue(load.Burstiness), random),
                arguments.GetValue(load.MaxConcurrency), progress: null, TimeProvider.System, cancellationToken);
            ServeMetrics metrics = new(requests, seconds, load.GoodputOf(arguments));
            completed += metrics.Completed;
            var rateName = double.IsFinite(rate) ? rate.ToString("0.####", CultureInfo.InvariantCulture) : "inf";
            if (format == OutputFormat.Text)
            {
                await Console.Out.WriteLineAsync(
                    $"{servers.Model}: {string.Join(", ", servers.All.Select(server => server.Name))}; {prompts.Count} requests, "
                    + $"{rateName} a second");
                await Console.Out.WriteLineAsync(report.Table(metrics));
            }
            else
            {
                results.Add(Json(servers, report.Json(metrics), rateName, prompts.Count, arguments.GetValue(load.MaxConcurrency)));
            }

            if (metrics.FirstError is { } error)
            {
                await Console.Error.WriteLineAsync($"{metrics.Failed} of {requests.Count} requests failed; the first: {error}");
            }
        }

        if (format != OutputFormat.Text)
        {
            await Console.Out.WriteAsync(OutputFormat.Write(new JsonObject { ["items"] = results }, format));
        }

        return completed > 0 ? 0 : 1;
    }

    /// <summary>One request to each that does not count: shows what is wrong before many do, and opens a connection.</summary>
    private static async Task WarmUpAsync(
        Servers servers, CompletionClient[] clients, RandomDataset dataset, CancellationToken cancellationToken)
    {
        for (var i = 0; i < clients.Length; i++)
        {
            var first = await clients[i].SendAsync(dataset.Draw(1, inputLength: 8, outputLength: 2)[0], cancellationToken);
            if (!first.Succeeded)
            {
                throw new CommandFailure($"a first request to {servers.All[i].Name} failed: {first.Error}");
            }
        }
    }

    /// <summary>With the names of vLLM's result files.</summary>
    private static JsonObject Json(Servers servers, JsonObject figures, string rate, int prompts, int? concurrency)
    {
        JsonObject json = new()
        {
            ["model_id"] = servers.Model,
            ["servers"] = new JsonArray([.. servers.All.Select(server => (JsonNode)server.Name)]),
            ["num_prompts"] = prompts,
            ["request_rate"] = rate == "inf" ? rate : double.Parse(rate, CultureInfo.InvariantCulture),
            ["max_concurrency"] = concurrency,
        };
        foreach (var (name, value) in figures.ToArray())
        {
            json[name] = value?.DeepClone();
        }

        return json;
    }
}
