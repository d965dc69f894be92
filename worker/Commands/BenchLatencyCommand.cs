using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Compute.Profiling;
using Cluster.Worker.Startup;

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
        var profile = BenchOptions.Profile();
        var dryRun = new Option<bool>("--dry-run")
        {
            Description =
                "With --profile: loads and runs nothing. Counts launches and bytes of one batch on an MI300X, and computes the least time "
                + "that its memory and matrix cores allow.",
        };
        var command = new Command("latency", "Measures how long one batch takes, in this process.")
        {
            inputLength, outputLength, batchSize, warmup, iterations, json, profile, dryRun,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(dryRun) && !result.GetValue(profile))
            {
                result.AddError("--dry-run computes a profile; give --profile, too");
            }
        });
        flags.AddTo(command);
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var startup = StartupArguments.Read(flags, arguments);
            if (arguments.GetValue(dryRun))
            {
                return await ComputeAsync(
                    startup, arguments.GetValue(batchSize), arguments.GetValue(inputLength), arguments.GetValue(json), cancellationToken);
            }

            var steps = arguments.GetValue(profile) ? new OperationProfile() : null;
            startup = startup with { Device = startup.Device with { Profile = steps } };
            var ceilings = steps is null ? null : Ceilings.Measure(startup.Device.CpuThreads ?? Environment.ProcessorCount);
            await using var engine = await BenchEngine.LoadAsync(startup, arguments.GetValue(batchSize), cancellationToken);

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

                    if (i == numWarmup - 1)
                    {
                        engine.Steps.Reset();
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

            var table = steps is null ? null : engine.Profile(steps, ceilings!);
            if (table is not null)
            {
                Console.WriteLine();
                Console.WriteLine(table.Text());
            }

            if (arguments.GetValue(json) is { } file)
            {
                var result = new JsonObject
                {
                    ["avg_latency"] = statistics.Mean,
                    ["latencies"] = new JsonArray([.. latencies.Select(latency => JsonValue.Create(latency))]),
                    ["percentiles"] = percentiles,
                };
                if (table is not null)
                {
                    result["profile"] = table.Json();
                }

                await BenchOptions.WriteJsonAsync(file, result, cancellationToken);
            }

            return 0;
        });
        return command;
    }

    private static async Task<int> ComputeAsync(
        StartupOptions startup, int batchSize, int inputLength, string? jsonFile, CancellationToken cancellationToken)
    {
        var folders = await ModelFolder.PrepareAsync(startup, Console.Error.WriteLine, cancellationToken);
        var report = DryRun.Run(startup, folders.Model, batchSize, inputLength);
        Console.WriteLine(report.Text());
        if (jsonFile is not null)
        {
            await BenchOptions.WriteJsonAsync(jsonFile, new JsonObject { ["profile"] = report.Json() }, cancellationToken);
        }

        return 0;
    }
}
