using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Engine;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Benchmarking;

public sealed class OfflineBenchmarkTests
{
    [Fact]
    public async Task Tokens_are_counted_and_each_goes_through_the_model_once()
    {
        var fake = new FakeModelRunner(vocabSize: 64, blockSize: 16, numBlocks: 64, maxModelLength: 128);
        var metered = new MeteredRunner(fake, null, TimeProvider.System);
        await using var engine = new LlmEngine(metered, new IdTokenizer(64), new EngineOptions { Seed = 1 }, TimeProvider.System);
        var prompts = new RandomDataset([.. Enumerable.Range(0, 64)], new Random(1)).Draw(6, 10, 7);
        var finished = 0;

        var run = await OfflineRun.RunAsync(
            engine, prompts, () => Interlocked.Increment(ref finished), TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Equal((60L, 42L, 6), (run.PromptTokens, run.OutputTokens, finished));

        // The last token of a request is sampled and never fed back.
        var (prefill, decode, between) = metered.Totals;
        Assert.Equal(60 + (6 * 6), prefill.Rows + decode.Rows);
        Assert.Equal(fake.RowsComputed, prefill.Rows + decode.Rows);
        Assert.Equal(fake.Steps, prefill.Steps + decode.Steps);
        Assert.True(between >= 0);
    }

    [Fact]
    public void Steps_are_told_apart_timed_and_forgotten()
    {
        var time = new ManualTime();
        var cost = new ModelCost(
            WeightBytes: 1000, KvBytesPerToken: 10, OperationsPerRow: 100, OperationsPerLogitRow: 7, AttentionOperationsPerKey: 1);
        using var metered = new MeteredRunner(new SlowRunner(time), cost, time);

        // A prompt of three tokens; then, two seconds later, one decode row that sees four positions.
        Step(metered,
            new StepBatch
            {
                NumTokens = 3,
                NumSequences = 1,
                NumLogits = 1,
                MaxQueryLength = 3,
                Positions = [0, 1, 2],
                ContextLengths = [3]
            });
        time.Advance(TimeSpan.FromSeconds(2));
        Step(metered,
            new StepBatch
            {
                NumTokens = 1,
                NumSequences = 1,
                NumLogits = 1,
                MaxQueryLength = 1,
                Positions = [3, 0, 0],
                ContextLengths = [4, 9]
            });

        var (prefill, decode, between) = metered.Totals;
        Assert.Equal(new StepTotals(1, 3, 1, 1030, 300 + 7 + 6), prefill);
        Assert.Equal(new StepTotals(1, 1, 1, 1040, 100 + 7 + 4), decode);
        Assert.Equal(2, between);

        metered.Reset();
        time.Advance(TimeSpan.FromSeconds(5));
        Step(metered,
            new StepBatch { NumTokens = 1, NumSequences = 1, NumLogits = 1, MaxQueryLength = 1, Positions = [0], ContextLengths = [1] });
        Assert.Equal((default, 1, 0.0), (metered.Totals.Prefill, metered.Totals.Decode.Steps, metered.Totals.BetweenSeconds));
    }

    /// <summary>The checkpoint's own matrices: a multiply-add for each element and row, the output matrix once a logit.</summary>
    [Fact]
    public void A_models_cost_is_that_of_its_matrices()
    {
        using var model = ModelLoader.Load(
            Fixtures.Haiku, CpuBackend.Create(new CpuOptions { Threads = 1 }),
            new ModelRunnerOptions { MaxBatchedTokens = 16, MaxSequences = 1, NumBlocks = 64 });
        var (config, weights) = ModelLoader.Open(Fixtures.Haiku);
        var matrices = weights.Names.Select(name => weights.Find(name)!).Where(tensor => tensor.Shape.Length == 2)
            .Sum(tensor => (double)tensor.Shape[0] * tensor.Shape[1]);
        Assert.True(config.TieWordEmbeddings);

        var cost = ModelCost.Of(model);

        Assert.Equal(2 * matrices, cost.OperationsPerRow + cost.OperationsPerLogitRow);
        Assert.Equal(2L * config.NumLayers * config.NumKvHeads * config.HeadDim * sizeof(float), cost.KvBytesPerToken);
        Assert.InRange(cost.WeightBytes, (long)matrices * 2, model.ResidentWeightBytes);
    }

    [Fact]
    public void Ids_are_the_text_of_a_model_without_a_tokenizer()
    {
        var tokenizer = new IdTokenizer(100);

        Assert.Equal(" 1 99", tokenizer.Decode([1, 99], skipSpecialTokens: true));
        Assert.Equal([1, 99], tokenizer.Encode(" 1 99", addSpecialTokens: true));
        Assert.Throws<FormatException>(() => tokenizer.Encode("100", addSpecialTokens: true));
    }

    private static void Step(MeteredRunner runner, StepBatch batch)
    {
        runner.Launch(batch);
        runner.WaitForLogits();
    }

    /// <summary>Every step takes a second.</summary>
    private sealed class SlowRunner(ManualTime time) : IModelRunner
    {
        public int VocabSize => 1;

        public int BlockSize => 16;

        public int NumBlocks => 1;

        public int MaxModelLength => 16;

        public int MaxBatchedTokens => 16;

        public int MaxSequences => 1;

        public void Launch(StepBatch batch) => time.Advance(TimeSpan.FromSeconds(1));

        public ReadOnlySpan<float> WaitForLogits() => [0];

        public void Dispose()
        {
        }
    }
}
