using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;

namespace Cluster.Worker.Commands;

/// <summary><c>bench latency</c>: how long one batch takes from prompt to last token, over and over.</summary>
internal static class BenchLatencyCommand
{
    private static readonly double[] Percentiles = [10, 25, 50, 75, 90, 99];

    public static Command Create()
    {
        var flags = new EngineFlags();
        var inputLength = BenchOptions.Count("--input-len", "Tokens of a prompt.", 32);
        var outputLength = BenchOptions.Count("--output-len", "Tokens to generate.", 128);
        var batchSize = BenchOptions.Count("--batch-size", "Requests of an iteration.", 8);
        var warmup = BenchOptions.Count("--num-iters-warmup", "Number of warm-up iterations.", 10, minimum: 0);
        var iterations = BenchOptions.Count("--num-iters", "Number of measured iterations.", 30);
        var json = new Option<string?>("--output-json") { Description = "File to write the results to, as JSON.", HelpName = "FILE" };
        var command = new Command(
            "latency",
            "Measures how long one batch takes, in this process.") { inputLength, outputLength, batchSize, warmup, iterations, json };
        flags.AddTo(command);
        command.SetAction(async (arguments, cancellationToken) =>
        {
            await using var engine = await BenchEngine.LoadAsync(
                StartupArguments.Read(flags, arguments), arguments.GetValue(batchSize), cancellationToken);

            // New prompts each time: the prefix cache must not shorten an iteration.
            var prompts = new RandomDataset(engine.Vocabulary, new Random(unchecked((int)arguments.GetValue(flags.Seed))));
            var numWarmup = arguments.GetValue(warmup);
            var total = numWarmup + arguments.GetValue(iterations);
            var latencies = await CountBar.RunAsync("latency", async report =>
            {
                var seconds = new List<double>();
                for (var i = 0; i < total; i++)
                {
                    var run = await engine.RunAsync(
                        prompts.Draw(arguments.GetValue(batchSize), arguments.GetValue(inputLength), arguments.GetValue(outputLength)),
                        null, cancellationToken);
                    if (i >= numWarmup)
                    {
                        seconds.Add(run.Seconds);
                    }

                    report(i + 1, total, i < numWarmup ? " (warming up)" : "");
                }

                return seconds;
            });
            var statistics = new SampleStatistics(latencies);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Avg latency: {statistics.Mean:F6} seconds"));
            var percentiles = new JsonObject();
            foreach (var percentile in Percentiles)
            {
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture, $"{percentile}% percentile latency: {statistics.Percentile(percentile):F6} seconds"));
                percentiles[percentile.ToString(CultureInfo.InvariantCulture)] = statistics.Percentile(percentile);
            }

            if (arguments.GetValue(json) is { } file)
            {
                var result = new JsonObject
                {
                    ["avg_latency"] = statistics.Mean,
                    ["latencies"] = new JsonArray([.. latencies.Select(latency => JsonValue.Create(latency))]),
                    ["percentiles"] = percentiles,
                };
                await BenchOptions.WriteJsonAsync(file, result, cancellationToken);
            }

            return 0;
        });
        return command;
    }
}
