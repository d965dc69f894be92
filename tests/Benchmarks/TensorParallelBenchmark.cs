using System.Globalization;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Commands;
using Cluster.Worker.Engine;
using Cluster.Worker.Models;
using Spectre.Console;

namespace Cluster.Benchmarks;

/// <summary>What spreading a model over ranks costs where ranks bring no hardware of their own: two processes of one thread each against one process of two threads,
/// the same prompts and as many tokens, prefill and decode. The ratio is what is left of the speed after all-reduces, broadcasts and what each rank does twice.</summary>
/// <remarks>Both are loaded at once and take turns, so that whatever else the machine does meanwhile meets both.</remarks>
internal static class TensorParallelBenchmark
{
    private const int Rounds = 3;
    private const int InputLength = 128;
    private const int OutputLength = 16;
    private const int Processors = 2;
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
            var (one, two) = await CompareAsync(whole, spread, batch);
            AddRow(batch, "prefill", one.Prefill, two.Prefill);
            AddRow(batch, "decode", one.Decode, two.Decode);
        }

        Console.WriteLine($"{Path.GetFileName(source)}, prompts of {InputLength} tokens, {OutputLength} to generate, best of {Rounds}, tokens/s:");
        AnsiConsole.Write(table);

        void AddRow(int batch, string phase, double one, double two) => table.AddRow(
            batch.ToString(CultureInfo.InvariantCulture),
            phase,
            one.ToString("F1", CultureInfo.InvariantCulture),
            two.ToString("F1", CultureInfo.InvariantCulture),
            (two / one).ToString("F2", CultureInfo.InvariantCulture));
    }

    /// <returns>The best tokens/s of each: disturbances only ever take some.</returns>
    private static async Task<((double Prefill, double Decode) Whole, (double Prefill, double Decode) Spread)> CompareAsync(Contestant whole, Contestant spread, int batch)
    {
        (double Prefill, double Decode) bestWhole = default;
        (double Prefill, double Decode) bestSpread = default;
        for (var round = 0; round <= Rounds; round++)
        {
            var one = await whole.RunAsync(batch);
            var two = await spread.RunAsync(batch);

            // The first round compiles.
            if (round > 0)
            {
                bestWhole = (Math.Max(bestWhole.Prefill, one.Prefill), Math.Max(bestWhole.Decode, one.Decode));
                bestSpread = (Math.Max(bestSpread.Prefill, two.Prefill), Math.Max(bestSpread.Decode, two.Decode));
            }
        }

        return (bestWhole, bestSpread);
    }

    /// <summary>An engine on a model of one rank, or of several processes.</summary>
    private sealed class Contestant : IAsyncDisposable
    {
        private readonly MeteredRunner steps;
        private readonly LlmEngine engine;
        private readonly RandomDataset prompts;

        public Contestant(string source, int ranks)
        {
            var options = new ModelRunnerOptions { MaxSequences = Batches.Max(), NumBlocks = Batches.Max() * ((InputLength + OutputLength) / 16 + 1) };
            var parallel = new RankOptions(ranks, Devices: null, TimeSpan.FromSeconds(60), Processors / ranks, 8L << 30);
            var model = ParallelModel.Load(source, options, parallel, progress: null, _ => { });
            var tokenizer = new IdTokenizer(model.Target.Config.VocabSize);
            steps = new MeteredRunner(model.Runner, null, TimeProvider.System);
            engine = new LlmEngine(steps, tokenizer, new EngineOptions { MaxNumSeqs = Batches.Max(), Seed = 1, EnablePrefixCaching = false }, TimeProvider.System);
            prompts = new RandomDataset(DatasetSource.TextTokens(tokenizer, model.Target.Config.VocabSize), new Random(1));
        }

        public async Task<(double Prefill, double Decode)> RunAsync(int batch)
        {
            steps.Reset();
            await OfflineRun.RunAsync(engine, prompts.Draw(batch, InputLength, OutputLength), null, TimeProvider.System, CancellationToken.None);
            var (prefill, decode, _) = steps.Totals;
            return (prefill.RowsPerSecond, decode.RowsPerSecond);
        }

        public ValueTask DisposeAsync() => engine.DisposeAsync();
    }
}
