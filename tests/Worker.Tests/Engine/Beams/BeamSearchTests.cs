using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Beams;

namespace Cluster.Worker.Tests.Engine.Beams;

/// <summary>Beam search through the whole engine. That beams among other requests, with little memory, equal those alone is
/// <see cref="EngineWorkloadTests"/>'.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class BeamSearchTests
{
    private const int Vocab = 40;
    private const int Eos = 39;
    private static readonly int[] Prompt = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    private static readonly SamplingParameters Three = new() { N = 3, Temperature = 0, MaxTokens = 8, Beams = new BeamParameters() };

    [Fact(Timeout = 60_000)]
    public async Task Outputs_are_those_of_the_obvious_algorithm()
    {
        var (stopped, full) = (0, 0);
        for (var seed = 0; seed < 250; seed++)
        {
            var random = new Random(seed);
            var runner = new FakeModelRunner(Vocab, random.Next(1, 6), 60, 50, maxSequences: random.Next(1, 9));
            await using var engine = Engine(runner, new EngineOptions { MaxNumBatchedTokens = random.Next(8, 40), EosTokenIds = [Eos] });
            var prompt = Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(Vocab)).ToArray();
            var sampling = RandomSampling(random);

            var actual = await RunAsync(engine, sampling, prompt);

            int[] stopTokens = sampling.IgnoreEos ? [.. sampling.StopTokenIds] : [Eos, .. sampling.StopTokenIds];
            double[] Logprobs(int[] context, int[] output)
            {
                var row = new float[Vocab];
                FakeModelRunner.Logits([.. context, .. output], row);
                var adjusted = NaiveSampler.Adjust(row, sampling, context, output, stopTokens);
                var logSum = Math.Log(adjusted.Sum(Math.Exp));
                return [.. adjusted.Select(logit => logit - logSum)];
            }

            var expected = new NaiveBeamSearch(Logprobs, sampling, stopTokens, Decode)
                .Run(prompt, Math.Min(sampling.MaxTokens!.Value, 50 - prompt.Length));
            Assert.Equal(
                expected.Select(output => $"seed {seed}: {string.Join(' ', output.Tokens)} {output.Reason}"),
                actual.Select(beam => $"seed {seed}: {string.Join(' ', beam.TokenIds)} {beam.Last.FinishReason!.Value}"));
            Assert.All(actual, generation => Assert.Equal(TextOf(generation, sampling, stopTokens), generation.Text));
            Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
            stopped += actual.Count(generation => generation.Last.FinishReason == FinishReason.Stop);
            full += actual.Count(generation => generation.Last.FinishReason == FinishReason.Length);
        }

        Assert.True(stopped > 100 && full > 100, $"{stopped} stopped, {full} full");
    }

    [Fact(Timeout = 30_000)]
    public async Task Beams_share_the_prompts_blocks_and_copy_only_partial_ones()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 100);
        await using var engine = Engine(runner);

        await RunAsync(engine, Three with { IgnoreEos = true });

        // The prompt once, then a row for each beam and further token; the last one's keys are never needed.
        Assert.Equal(10 + 3 * 7, runner.RowsComputed);
        Assert.Equal(8, runner.Steps);
        Assert.InRange(runner.BlocksCopied, 1, 3 * 7);
    }

    [Theory(Timeout = 30_000)]
    [InlineData(1, 64)]
    [InlineData(2, 64)]
    [InlineData(8, 5)]
    [InlineData(8, 7)]
    [InlineData(2, 6)]
    public async Task Beams_that_cannot_all_run_at_once_give_the_same(int maxNumSeqs, int numBlocks)
    {
        await using var wide = Engine(new FakeModelRunner(Vocab, 4, 64, 20));
        await using var narrow = Engine(
            new FakeModelRunner(Vocab, 4, numBlocks, 20), new EngineOptions { MaxNumSeqs = maxNumSeqs, EnablePrefixCaching = false });
        var sampling = Three with { BestOf = 6, MaxTokens = null };

        var expected = await RunAsync(wide, sampling);
        var actual = await Task.WhenAll(RunAsync(narrow, sampling, id: "one"), RunAsync(narrow, sampling, id: "other"));

        Assert.All(
            actual,
            generations => Assert.Equal(expected.Select(generation => generation.Text), generations.Select(generation => generation.Text)));
        Assert.Equal((0, 0, 0.0), (narrow.Statistics.Running, narrow.Statistics.Waiting, narrow.Statistics.KvCacheUsage));
    }

    [Fact(Timeout = 30_000)]
    public async Task One_beam_is_greedy_decoding()
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 100));

        var beam = await RunAsync(engine, Three with { N = 1 });

        Assert.Equal(Generation.Greedy(Vocab, Prompt, 8), beam.Single().TokenIds);
    }

    [Fact(Timeout = 30_000)]
    public async Task Equal_scores_are_ordered_by_beam_and_token()
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 100) { OnLogits = (_, row) => row.AsSpan().Clear() });

        var generations = await RunAsync(engine, Three with { MaxTokens = 2 });

        Assert.Equal(["0 0", "0 1", "0 2"], generations.Select(generation => string.Join(' ', generation.TokenIds)));
    }

    [Fact(Timeout = 30_000)]
    public async Task Log_probabilities_are_the_models_and_come_with_every_token()
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 100));

        var generations = await RunAsync(
            engine, Three with { Logprobs = 2, PromptLogprobs = 1, LogitBias = new Dictionary<int, float> { [3] = 3 } });

        Assert.All(generations, generation =>
        {
            var row = new float[Vocab];
            for (var i = 0; i < generation.TokenIds.Length; i++)
            {
                FakeModelRunner.Logits([.. Prompt, .. generation.TokenIds[..i]], row);
                Assert.Equal(generation.TokenIds[i], generation.Logprobs[i].Sampled.TokenId);
                Assert.Equal(
                    row[generation.TokenIds[i]] - Math.Log(row.Sum(logit => Math.Exp(logit))), generation.Logprobs[i].Sampled.Logprob,
                    1e-5);
                Assert.Equal(row.Max() - Math.Log(row.Sum(logit => Math.Exp(logit))), generation.Logprobs[i].Top[0].Logprob, 1e-5);
                Assert.Equal(2, generation.Logprobs[i].Top.Count);
            }

            Assert.Equal(Prompt.Length, generation.PromptLogprobs!.Count);
        });
    }

    [Fact(Timeout = 30_000)]
    public async Task Every_beam_keeps_to_the_structure_and_there_may_be_fewer_than_asked_for()
    {
        const int ByteEos = 256;
        await using var engine = new LlmEngine(
            new FakeModelRunner(257, 4, 64, 100), new ByteTokenizer(["</s>"]), new EngineOptions { EosTokenIds = [ByteEos] },
            TimeProvider.System);
        var sampling = Three with { N = 4, MaxTokens = 20, Constraint = new Constraint.Choice(["yes", "yet", "no"]) };

        var generations = await RunAsync(engine, sampling);

        Assert.Equal(["no", "yes", "yet"], generations.Select(generation => generation.Text).Order(StringComparer.Ordinal));
        Assert.All(generations, generation => Assert.Equal(FinishReason.Stop, generation.Last.FinishReason));
        var other = await RunAsync(engine, sampling with { N = 3, Constraint = new Constraint.Regex("(ab|cd)[0-9]{2,4}") });
        Assert.All(other, generation => Assert.Matches("^(ab|cd)[0-9]{2,4}$", generation.Text));
        Assert.Equal(3, other.Select(generation => generation.Text).Distinct().Count());
    }

    [Theory(Timeout = 30_000)]
    [InlineData(0)]
    [InlineData(4)]
    public async Task An_abort_ends_the_search_and_frees_all_blocks(int step)
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 100);
        await using var engine = Engine(runner);
        runner.OnLaunch = _ =>
        {
            if (runner.Steps == step)
            {
                engine.Abort("beams");
            }
        };

        var generations = await RunAsync(engine, Three with { MaxTokens = null, IgnoreEos = true });

        Assert.Equal(3, generations.Length);
        Assert.All(
            generations,
            generation => Assert.Equal((FinishReason.Abort, step + 1), (generation.Last.FinishReason, generation.TokenIds.Length)));
        Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_failure_of_one_beam_is_the_requests()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 100);
        await using var engine = Engine(runner);
        runner.OnLogits = (context, row) => row[0] = context.Length == Prompt.Length + 3 ? float.NaN : row[0];

        await Assert.ThrowsAsync<GenerationFailedException>(() => RunAsync(engine, Three));
        runner.OnLogits = null;

        Assert.Equal(3, (await RunAsync(engine, Three)).Length);
        Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
    }

    private static SamplingParameters RandomSampling(Random random) => new()
    {
        N = random.Next(1, 4),
        BestOf = random.Next(4, 8),
        Temperature = 0,
        MaxTokens = random.Next(1, 14),
        MinTokens = random.Next(3) == 0 ? 1 : 0,
        IgnoreEos = random.Next(3) == 0,
        Stop = random.Next(3) == 0
            ? [((char)random.Next(Vocab)).ToString() + (char)random.Next(Vocab), ((char)random.Next(Vocab)).ToString()]
            : [],
        StopTokenIds = random.Next(3) == 0 ? [random.Next(Eos)] : [],
        PresencePenalty = random.Next(3) == 0 ? 1 : 0,
        RepetitionPenalty = random.Next(3) == 0 ? 1.5f : 1,
        Beams = new BeamParameters(random.Next(-1, 3), (EarlyStopping)random.Next(3)),
    };

    /// <summary>Tokens are characters here; what ended an output is not part of its text.</summary>
    private static string TextOf(Generation generation, SamplingParameters sampling, int[] stopTokens)
    {
        var text = Decode(generation.TokenIds);
        if (generation.Last.FinishReason != FinishReason.Stop)
        {
            return text;
        }

        return stopTokens.Contains(generation.TokenIds[^1])
            ? text[..^1]
            : text[..^sampling.Stop.Where(stop => text.EndsWith(stop, StringComparison.Ordinal)).Max(stop => stop.Length)];
    }

    private static string Decode(int[] tokens) => new([.. tokens.Select(token => (char)token)]);

    private static LlmEngine Engine(FakeModelRunner runner, EngineOptions? options = null) =>
        new(runner, new ByteTokenizer(), options ?? new EngineOptions(), TimeProvider.System);

    private static Task<Generation[]> RunAsync(LlmEngine engine, SamplingParameters sampling, int[]? prompt = null, string id = "beams") =>
        Generation.CollectAllAsync(engine.GenerateAsync(new GenerationRequest(id, prompt ?? Prompt, sampling), CancellationToken.None));
}
