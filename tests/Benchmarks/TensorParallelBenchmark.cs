using System.Diagnostics;
using System.Globalization;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Startup;
using Spectre.Console;

namespace Cluster.Benchmarks;

/// <summary>What spreading a model over ranks costs where ranks bring no hardware of their own: two processes of one thread each against
/// one process of two threads, the same prompts and as many tokens, prefill and decode. The ratio is what is left of the speed after
/// all-reduces, broadcasts and what each rank does twice.</summary>
/// <remarks>Both are loaded at once and take turns, and a ratio is taken within a round, so that whatever else the machine does meanwhile
/// meets both.</remarks>
internal static class TensorParallelBenchmark
{
    private const int MinRounds = 3;
    private const int MaxRounds = 25;
    private const int InputLength = 128;
    private const int OutputLength = 64;
    private const int Processors = 2;
    private static readonly TimeSpan TimeForBatch = TimeSpan.FromSeconds(20);
    private static readonly int[] Batches = [1, 4];

    public static async Task RunAsync(string source)
    {
        var table = new Table().AddColumns("requests", "phase", "TP 1, 2 threads", "TP 2, 1 thread a rank", "ratio");
        foreach (var column in table.Columns)
        {
            column.RightAligned().NoWrap();
        }

        await using var whole = new Contestant(source, ranks: 1);
        await using var spread = new Contestant(source, ranks: 2);
        foreach (var batch in Batches)
        {
            var rounds = await CompareAsync(whole, spread, batch);
            AddRow(batch, "prefill", rounds, speed => speed.Prefill);
            AddRow(batch, "decode", rounds, speed => speed.Decode);
        }

        Console.WriteLine(
            $"{Path.GetFileName(source)}, prompts of {InputLength} tokens, {OutputLength} to generate, medians of {MinRounds} to "
            + $"{MaxRounds} rounds, tokens/s:");
        AnsiConsole.Write(table);

        void AddRow(int batch, string phase, List<(Speed Whole, Speed Spread)> rounds, Func<Speed, double> of) => table.AddRow(
            batch.ToString(CultureInfo.InvariantCulture),
            phase,
            Median(rounds.Select(round => of(round.Whole))).ToString("F1", CultureInfo.InvariantCulture),
            Median(rounds.Select(round => of(round.Spread))).ToString("F1", CultureInfo.InvariantCulture),
            Median(rounds.Select(round => of(round.Spread) / of(round.Whole))).ToString("F2", CultureInfo.InvariantCulture));
    }

    private static async Task<List<(Speed Whole, Speed Spread)>> CompareAsync(Contestant whole, Contestant spread, int batch)
    {
        // This round compiles.
        await whole.RunAsync(batch);
        await spread.RunAsync(batch);
        var rounds = new List<(Speed, Speed)>();
        var start = Stopwatch.GetTimestamp();
        while (rounds.Count < MinRounds || (rounds.Count < MaxRounds && Stopwatch.GetElapsedTime(start) < TimeForBatch))
        {
            rounds.Add((await whole.RunAsync(batch), await spread.RunAsync(batch)));
        }

        return rounds;
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    /// <summary>Tokens a second of the two phases.</summary>
    private readonly record struct Speed(double Prefill, double Decode);

    /// <summary>An engine on a model of one rank, or of several processes.</summary>
    private sealed class Contestant : IAsyncDisposable
    {
        private readonly MeteredRunner _steps;
        private readonly LlmEngine _engine;
        private readonly RandomDataset _prompts;

        public Contestant(string source, int ranks)
        {
            var options = new ModelRunnerOptions
            {
                MaxSequences = Batches.Max(),
                NumBlocks = Batches.Max() * ((InputLength + OutputLength) / 16 + 1)
            };
            var parallel = new RankOptions(ranks, Devices: null, TimeSpan.FromSeconds(60));
            var model = SpreadModel.Load(
                source, options, parallel, BackendFactory.OfShare(Processors / ranks, 8L << 30), progress: null, _ => { });
            var tokenizer = new IdTokenizer(model.Target.Config.VocabSize);
            _steps = new MeteredRunner(model.Runner, null, TimeProvider.System);
            _engine = new LlmEngine(
                _steps, tokenizer, new EngineOptions { MaxNumSeqs = Batches.Max(), Seed = 1, EnablePrefixCaching = false },
                TimeProvider.System);
            _prompts = new RandomDataset(DatasetSource.TextTokens(tokenizer, model.Target.Config.VocabSize), new Random(1));
        }

        public async Task<Speed> RunAsync(int batch)
        {
            _steps.Reset();
            await OfflineRun.RunAsync(
                _engine, _prompts.Draw(batch, InputLength, OutputLength), null, TimeProvider.System, CancellationToken.None);
            var (prefill, decode, _) = _steps.Totals;
            return new Speed(prefill.RowsPerSecond, decode.RowsPerSecond);
        }

        public ValueTask DisposeAsync() => _engine.DisposeAsync();
    }
}
