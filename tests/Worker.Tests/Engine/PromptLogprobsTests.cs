using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Log-probabilities of prompts through the whole engine. That they are the same among other requests is
/// <see cref="EngineWorkloadTests"/>'.</summary>
public sealed class PromptLogprobsTests
{
    private const int Vocab = 64;
    private static readonly int[] Prompt = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 5, 6, 7];
    private static readonly SamplingParameters Scored = new() { Temperature = 0, MaxTokens = 2, PromptLogprobs = 3, IgnoreEos = true };

    [Theory(Timeout = 30_000)]
    [InlineData(100, 8, true)]
    [InlineData(100, 1, true)]
    [InlineData(5, 8, true)]
    [InlineData(100, 3, false)]
    public async Task Each_token_but_the_first_has_its_own_and_the_likeliest(
        int maxNumBatchedTokens, int maxLogits, bool enableChunkedPrefill)
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 50, maxSequences: 1, maxLogits: maxLogits);
        await using var engine = Engine(
            runner, new EngineOptions { MaxNumBatchedTokens = maxNumBatchedTokens, EnableChunkedPrefill = enableChunkedPrefill });

        var generation = await RunAsync(engine, Scored);

        AssertScores(generation);
        Assert.Equal(Generation.Greedy(Vocab, Prompt, 2), generation.TokenIds);
        Assert.Equal(Prompt.Length + 1, runner.RowsComputed);
    }

    [Fact(Timeout = 30_000)]
    public async Task A_cached_prompt_is_computed_again_and_shared_with_those_that_come_later()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 50);
        await using var engine = Engine(runner);

        await RunAsync(engine, Scored with { PromptLogprobs = null });
        var scored = await RunAsync(engine, Scored);
        var cached = await RunAsync(engine, Scored with { PromptLogprobs = null });

        AssertScores(scored);
        Assert.Equal((0, 12), (scored.Last.CachedTokens, cached.Last.CachedTokens));
        Assert.Null(cached.PromptLogprobs);
    }

    [Fact(Timeout = 30_000)]
    public async Task Without_output_only_the_prompt_is_computed()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 50);
        await using var engine = Engine(runner);

        var generation = await RunAsync(engine, Scored with { MaxTokens = 0 });

        AssertScores(generation);
        Assert.Equal((FinishReason.Length, 0, ""), (generation.Last.FinishReason, generation.Last.CompletionTokens, generation.Text));
        Assert.Equal((1, Prompt.Length, 0), (runner.Steps, engine.Statistics.PromptTokens, engine.Statistics.GenerationTokens));
        Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
    }

    [Fact(Timeout = 30_000)]
    public async Task Every_sequence_reports_them_once()
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 50));

        var all = await Generation.CollectAllAsync(
            engine.GenerateAsync(new GenerationRequest("scored", Prompt, Scored with { N = 3, Temperature = 1 }), CancellationToken.None));
        var best = await Generation.CollectAllAsync(
            engine.GenerateAsync(
                new GenerationRequest("scored", Prompt, Scored with { N = 2, BestOf = 4, Temperature = 1 }), CancellationToken.None));

        Assert.All(all.Concat(best), AssertScores);
        Assert.All(all.Concat(best), generation => Assert.Equal(1, generation.NumPromptReports));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_prompt_of_one_token_has_none()
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 50));

        var generation = await Generation.CollectAsync(
            engine.GenerateAsync(new GenerationRequest("scored", [7], Scored), CancellationToken.None));

        Assert.Null(Assert.Single(generation.PromptLogprobs!));
    }

    [Fact(Timeout = 30_000)]
    public async Task Logits_that_are_no_numbers_fail_the_request_and_name_the_place()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 50, maxSequences: 2)
        {
            OnLogits = (context, row) => row[1] = context.Length == 6 ? float.NaN : row[1]
        };
        await using var engine = Engine(runner);

        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => RunAsync(engine, Scored));

        Assert.Contains("NaN at prompt position 6", failure.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
    }

    private static void AssertScores(Generation generation)
    {
        Assert.Equal(Prompt.Length, generation.PromptLogprobs!.Count);
        Assert.Null(generation.PromptLogprobs[0]);
        var row = new float[Vocab];
        for (var i = 1; i < Prompt.Length; i++)
        {
            FakeModelRunner.Logits(Prompt.AsSpan(0, i), row);
            var logSum = Math.Log(row.Sum(logit => Math.Exp(logit)));
            var order = Enumerable.Range(0, Vocab).OrderByDescending(token => row[token]).ToList();
            var (own, top) = generation.PromptLogprobs[i]!.Logprobs;
            Assert.Equal((Prompt[i], order.IndexOf(Prompt[i]) + 1), (own.TokenId, generation.PromptLogprobs[i]!.Rank));
            Assert.Equal(row[Prompt[i]] - logSum, own.Logprob, 1e-5);
            Assert.Equal(order.Take(3), top.Select(token => token.TokenId));
            Assert.All(top, token => Assert.Equal(row[token.TokenId] - logSum, token.Logprob, 1e-5));
        }
    }

    private static LlmEngine Engine(FakeModelRunner runner, EngineOptions? options = null) =>
        new(runner, new ByteTokenizer(), options ?? new EngineOptions(), TimeProvider.System);

    private static Task<Generation> RunAsync(LlmEngine engine, SamplingParameters sampling) =>
        Generation.CollectAsync(engine.GenerateAsync(new GenerationRequest("scored", Prompt, sampling), CancellationToken.None));
}
