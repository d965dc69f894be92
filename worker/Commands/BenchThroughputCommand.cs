using System.CommandLine;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Compute.Profiling;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary><c>bench throughput</c>: how much the engine gets done when it has all requests at once, and how far that is from what the
/// machine can do.</summary>
internal static class BenchThroughputCommand
{
    private const int DefaultSonnetInput = 550, DefaultSonnetOutput = 150;

    public static Command Create()
    {
        var flags = new EngineFlags();
        var numPrompts = BenchOptions.Count("--num-prompts", "Requests to run.", 1000);
        var dataset = OptionChecks.OneOf(
            "--dataset-name", "Where prompts come from.", DatasetSource.Random, DatasetSource.ShareGpt, DatasetSource.Sonnet);
        var path = new Option<string?>("--dataset-path")
        {
            Description = "File of the sharegpt (JSON) or sonnet (lines of text) dataset.",
            HelpName = "FILE"
        };
        var inputLength = BenchOptions.OptionalCount("--input-len", "Tokens of a prompt (random, sonnet).");
        var outputLength = BenchOptions.OptionalCount("--output-len", "Tokens to generate. Default for sharegpt: as long as the answer.");
        var prefixLength = BenchOptions.Count("--prefix-len", "Tokens that all sonnet prompts share.", 200, minimum: 0);
        var json = new Option<string?>("--output-json") { Description = "File to write the results to, as JSON.", HelpName = "FILE" };
        var profile = BenchOptions.Profile();
        var command = new Command(
            "throughput",
            "Measures requests and tokens per second with all requests submitted at once, in this process.")
            {
                numPrompts,
                dataset,
                path,
                inputLength,
                outputLength,
                prefixLength,
                json,
                profile
            };
        flags.AddTo(command);
        command.Validators.Add(result =>
        {
            // Defaults are not filled in yet where the option is left out.
            if (result.GetValue(dataset) is null or DatasetSource.Random
                && (result.GetValue(inputLength) is null || result.GetValue(outputLength) is null))
            {
                result.AddError("random prompts need --input-len and --output-len");
            }
        });
        command.SetAction((arguments, cancellationToken) =>
        {
            var sonnet = arguments.GetValue(dataset) == DatasetSource.Sonnet;
            var source = new DatasetSource(arguments.GetValue(dataset)!, arguments.GetValue(path), arguments.GetValue(numPrompts))
            {
                InputLength = arguments.GetValue(inputLength) ?? DefaultSonnetInput,
                OutputLength = arguments.GetValue(outputLength) ?? (sonnet ? DefaultSonnetOutput : null),
                PrefixLength = arguments.GetValue(prefixLength),
            };
            var startup = StartupArguments.Read(flags, arguments);
            startup = startup with
            {
                Device = startup.Device with { Profile = arguments.GetValue(profile) ? new OperationProfile() : null },
            };
            return RunAsync(startup, source, arguments.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(
        StartupOptions startup, DatasetSource source, string? jsonFile, CancellationToken cancellationToken)
    {
        var ceilings = Ceilings.Measure(startup.Device.CpuThreads ?? Environment.ProcessorCount);
        await using var engine = await BenchEngine.LoadAsync(startup, source.NumPrompts, cancellationToken);
        var random = new Random(unchecked((int)(startup.Engine.Seed ?? 0)));
        var prompts = source.Read(engine.Tokenizer, engine.Vocabulary, random);

        // Once through every path, so that compiling it is not measured.
        await engine.RunAsync(
            new RandomDataset(engine.Vocabulary, random).Draw(count: 2, inputLength: 16, outputLength: 8), null, cancellationToken);
        engine.Steps.Reset();
        var finished = 0;
        var run = await CountBar.RunAsync(
            "throughput",
            report => engine.RunAsync(prompts, () => report(Interlocked.Increment(ref finished), prompts.Count, ""), cancellationToken));
        var report = new ThroughputReport(run, prompts.Count, engine.Steps.Totals, ceilings, engine.Peaks(ceilings));
        Console.WriteLine(report.Text());
        var table = startup.Device.Profile is { } steps ? engine.Profile(steps, ceilings) : null;
        if (table is not null)
        {
            Console.WriteLine();
            Console.WriteLine(table.Text());
        }

        if (jsonFile is not null)
        {
            var result = report.Json();
            if (table is not null)
            {
                result["profile"] = table.Json();
            }

            await BenchOptions.WriteJsonAsync(jsonFile, result, cancellationToken);
        }

        return 0;
    }
}
