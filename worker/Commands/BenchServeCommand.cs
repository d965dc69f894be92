using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Benchmarking.Serving;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary><c>bench serve</c>: loads a running server over HTTP and reports what its clients saw.</summary>
internal static class BenchServeCommand
{
    private const string ApiKeyVariable = "OPENAI_API_KEY";

    public static Command Create()
    {
        var flags = new BenchServeFlags();
        var command = new Command(
            "serve", $"Measures a running server over its OpenAI API, as its clients see it. A key for it is taken from {ApiKeyVariable}.");
        flags.AddTo(command);
        command.SetAction((arguments, cancellationToken) => RunAsync(flags, arguments, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(BenchServeFlags flags, ParseResult arguments, CancellationToken cancellationToken)
    {
        var load = flags.Load;
        var address = flags.BaseAddress(arguments);
        using var http = CompletionClient.CreateHttpClient(Environment.GetEnvironmentVariable(ApiKeyVariable));
        var firstModel = await CompletionClient.FirstModelAsync(http, address, cancellationToken);
        var model = arguments.GetValue(flags.ServedModelName) ?? arguments.GetValue(flags.Model) ?? firstModel;
        var tokenizerFolder = TokenizerFolder(flags, arguments);
        var tokenizer = Tokenizer.Load(tokenizerFolder);
        var client = new CompletionClient(
            http, CompletionClient.At(address, arguments.GetValue(flags.Endpoint)!), model, arguments.GetValue(load.IgnoreEos),
            TimeProvider.System);
        var source = flags.Dataset(arguments);
        var random = new Random(arguments.GetValue(load.Seed));
        var vocabulary = DatasetSource.TextTokens(tokenizer, tokenizer.VocabSize);
        var goodput = load.GoodputOf(arguments);
        var report = load.ReportOf(arguments);
        var rates = load.RatesOf(arguments);
        var points = new List<LoadPoint>();
        foreach (var rate in rates)
        {
            // Drawn anew for each rate: what one run left in the prefix cache must not speed up the next.
            var prompts = source.Read(tokenizer, vocabulary, random);
            if (points.Count == 0)
            {
                await TestAsync(
                    client, prompts[0] with { TokenIds = new RandomDataset(vocabulary, random).Tokens(prompts[0].TokenIds.Count) },
                    cancellationToken);
            }

            var arrivals = prompts[0].ArrivalSeconds is null
                ? ArrivalProcess.Generate(prompts.Count, rate, arguments.GetValue(load.Burstiness), random)
                : [.. prompts.Select(prompt => prompt.ArrivalSeconds!.Value)];
            var (requests, seconds) = await CountBar.RunAsync(
                $"{LoadPlot.RateName(rate)} requests/s",
                show => ServeRun.RunAsync(
                    client.SendAsync, prompts, arrivals, arguments.GetValue(load.MaxConcurrency), new Progress(show), TimeProvider.System,
                    cancellationToken));
            var metrics = new ServeMetrics(requests, seconds, goodput);
            points.Add(new LoadPoint(rate, metrics));
            Console.WriteLine(report.Table(metrics));
            if (metrics.FirstError is { } error)
            {
                await Console.Error.WriteLineAsync($"{metrics.Failed} of {requests.Count} requests failed; the first: {error}");
            }

            if (arguments.GetValue(flags.SaveResult))
            {
                var backend = arguments.GetValue(flags.Backend)!;
                var now = TimeProvider.System.GetUtcNow();
                var json = new JsonObject
                {
                    ["date"] = Stamp(now),
                    ["backend"] = backend,
                    ["model_id"] = model,
                    ["tokenizer_id"] = tokenizerFolder,
                    ["num_prompts"] = prompts.Count,
                    ["request_rate"] = double.IsFinite(rate) ? rate : "inf",
                    ["burstiness"] = arguments.GetValue(load.Burstiness),
                    ["max_concurrency"] = arguments.GetValue(load.MaxConcurrency),
                };
                foreach (var (name, value) in report.Json(metrics).ToArray())
                {
                    json[name] = value?.DeepClone();
                }

                var fallback = $"{backend}-{LoadPlot.RateName(rate)}qps-{Path.GetFileName(model.TrimEnd('/'))}-{Stamp(now)}.json";
                var file = Path.Combine(
                    arguments.GetValue(flags.ResultDir) ?? "",
                    ResultName(arguments.GetValue(flags.ResultFilename), rate, rates.Length) ?? fallback);
                await BenchOptions.WriteJsonAsync(file, json, cancellationToken);
                Console.WriteLine($"saved {file}");
            }
        }

        if (arguments.GetValue(flags.Plot) is { } plot)
        {
            await WholeFile.WriteNamedAsync(
                plot, LoadPlot.Draw($"{model}: {source.Name}, {source.NumPrompts} requests per rate", points), cancellationToken);
            Console.WriteLine($"drew {plot}");
        }

        return points.Exists(point => point.Metrics.Completed > 0) ? 0 : 1;
    }

    /// <summary>One request that does not count: shows what is wrong before a thousand do, and warms up both sides. Its ids are random, so
    /// that no prompt finds them in the prefix cache.</summary>
    private static async Task TestAsync(CompletionClient client, BenchmarkPrompt prompt, CancellationToken cancellationToken)
    {
        var measurement = await client.SendAsync(prompt, cancellationToken);
        if (!measurement.Succeeded)
        {
            throw new CommandFailure(
                $"a first request of {prompt.TokenIds.Count} + {prompt.OutputLength} tokens failed: {measurement.Error}");
        }
    }

    private static string TokenizerFolder(BenchServeFlags flags, ParseResult arguments)
    {
        var folder = arguments.GetValue(flags.Tokenizer) ?? arguments.GetValue(flags.Model);
        return (folder is null ? null : ModelFolder.OnDisk(folder))
            ?? throw new CommandFailure(
                $"no tokenizer to make prompts with: {(folder is null ? "--tokenizer is missing" : $"there is no folder '{folder}'")}; "
                + "name the folder of the model's tokenizer, or a GGUF file, with --tokenizer");
    }

    /// <summary>The name asked for; with several rates each has its own.</summary>
    private static string? ResultName(string? given, double rate, int numRates) =>
        given is null || numRates == 1
            ? given
            : $"{Path.GetFileNameWithoutExtension(given)}-{LoadPlot.RateName(rate)}qps{Path.GetExtension(given)}";

    private static string Stamp(DateTimeOffset time) => time.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);

    private sealed class Progress(Action<int, int, string> show) : IProgress<ServeProgress>
    {
        public void Report(ServeProgress value) => show(value.Finished, value.Total, value.Failed == 0 ? "" : $" ({value.Failed} failed)");
    }
}
