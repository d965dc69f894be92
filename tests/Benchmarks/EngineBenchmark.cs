using System.Globalization;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tokenization;
using Spectre.Console;

namespace Cluster.Benchmarks;

/// <summary>What the engine costs between two steps of the model: planning, sampling at temperature 1, stop checks, text and bookkeeping.
/// First as a share of the model's time on a real one, alone and with what the device computes in the background hidden, then for each
/// sequence as their number grows, with a model that takes no time.</summary>
internal static class EngineBenchmark
{
    private const int InputLength = 32;
    private const int OutputLength = 96;
    private const int Batch = 64;

    public static async Task RunAsync(string modelFolder, int threads)
    {
        await OnModelAsync(modelFolder, threads);

        var table = new Table().AddColumns("sequences", "between steps", "a sequence");
        foreach (var column in table.Columns)
        {
            column.RightAligned().NoWrap();
        }

        for (var sequences = 1; sequences <= 1024; sequences *= 2)
        {
            const int VocabSize = 1024;
            var runner = new InstantRunner(VocabSize, sequences, InputLength + OutputLength);
            var (prefill, decode, between) = await MeasureAsync(
                runner, new IdTokenizer(VocabSize), sequences, inBackground: false, stepsPerPlan: 1);
            var micros = 1e6 * between / (prefill.Steps + decode.Steps);
            table.AddRow(
                sequences.ToString(CultureInfo.InvariantCulture),
                string.Create(CultureInfo.InvariantCulture, $"{micros:F1} µs"),
                string.Create(CultureInfo.InvariantCulture, $"{micros / sequences:F2} µs"));
        }

        Console.WriteLine("a model that takes no time, vocabulary 1024:");
        AnsiConsole.Write(table);
    }

    private static async Task OnModelAsync(string folder, int threads)
    {
        var options = new ModelRunnerOptions { MaxSequences = Batch, NumBlocks = Batch * 16 };
        var model = ModelLoader.Load(folder, CpuBackend.Create(new CpuOptions { Threads = threads }), options);
        using var shared = model;
        var tokenizer = Tokenizer.Load(folder);
        foreach (var (name, inBackground, stepsPerPlan) in ((string, bool, int)[])[
            ("one after the other", false, 1), ("overlapped", true, 1), ("overlapped, 8 steps a plan", true, 8)])
        {
            var (prefill, decode, between) = await MeasureAsync(
                new SharedRunner(model.Runner), tokenizer, Batch, inBackground, stepsPerPlan);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{Path.GetFileName(folder)}, batch {Batch}, {name}: {1e3 * decode.Seconds / decode.Steps:F2} ms a decode step in the "
                + $"model, {1e3 * between / (prefill.Steps + decode.Steps):F3} ms between steps: "
                + $"{100 * between / (prefill.Seconds + decode.Seconds):F1} % of the model's time"));
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"choosing {Batch} tokens at temperature 1, alone: {1e3 * SamplingSeconds(model.Runner.VocabSize):F3} ms"));
    }

    /// <summary>What of the time between two steps is the choice of tokens; the rest is books, plan and the change of threads.</summary>
    private static double SamplingSeconds(int vocabSize)
    {
        const int Rows = 16;
        var random = new Random(1);
        var sampler = new Sampler(vocabSize);
        var logits = Enumerable.Range(0, Rows * vocabSize).Select(_ => (random.NextSingle() * 8) - 4).ToArray();
        var state = new SamplingState(new SamplingParameters(), [1], 1, []);
        return BestTime.Of(() =>
        {
            for (var row = 0; row < Batch; row++)
            {
                sampler.Sample(logits.AsSpan(row % Rows * vocabSize, vocabSize), state);
            }
        });
    }

    /// <summary>The run of three with the least time between steps: disturbances only ever add some.</summary>
    private static async Task<(StepTotals Prefill, StepTotals Decode, double BetweenSeconds)> MeasureAsync(
        IModelRunner runner, ITokenizer tokenizer, int sequences, bool inBackground, int stepsPerPlan)
    {
        var metered = new MeteredRunner(runner, null, TimeProvider.System);
        var options = new EngineOptions { MaxNumSeqs = sequences, Seed = 1, NumSchedulerSteps = stepsPerPlan };
        await using var engine = new LlmEngine(
            inBackground ? new BackgroundRunner(metered) : metered, tokenizer, options, TimeProvider.System);
        var prompts = new RandomDataset(DatasetSource.TextTokens(tokenizer, runner.VocabSize), new Random(1));
        (StepTotals Prefill, StepTotals Decode, double BetweenSeconds)? best = null;
        for (var run = 0; run <= 3; run++)
        {
            metered.Reset();
            await OfflineRun.RunAsync(
                engine, prompts.Draw(sequences, InputLength, OutputLength), null, TimeProvider.System, CancellationToken.None);

            // The first run compiles.
            if (run > 0 && !(metered.Totals.BetweenSeconds >= best?.BetweenSeconds))
            {
                best = metered.Totals;
            }
        }

        return best!.Value;
    }
}
