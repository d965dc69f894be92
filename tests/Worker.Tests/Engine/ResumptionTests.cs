using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Models.Parallel;
using Cluster.Worker.Tokenization;
using static Cluster.Worker.Tests.Engine.TestEngines;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Outputs that go on from what another engine generated.</summary>
public sealed class ResumptionTests
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(Fixtures.Haiku);

    private static readonly SamplingParameters Sampled = new()
    {
        Temperature = 1.3f,
        TopP = 0.98f,
        Seed = 11,
        MaxTokens = 24,
        Logprobs = 3,
        RepetitionPenalty = 1.1f,
        FrequencyPenalty = 0.3f,
        MinTokens = 9,
        Stop = [" the w", "qu"],
        BadWords = ["rain"],
    };

    [Theory]
    [InlineData(null, 1, 1, 2048, true)]
    [InlineData(null, 1, 4, 2048, true)]
    [InlineData(null, 1, 1, 17, true)]
    [InlineData(null, 1, 2, 17, false)]
    [InlineData("look-up", 1, 1, 2048, true)]
    [InlineData("draft model", 1, 1, 2048, true)]
    [InlineData(null, 2, 2, 2048, true)]
    [InlineData("draft model", 2, 1, 2048, false)]
    public async Task The_rest_has_the_bits_of_an_undisturbed_run(string? proposer, int ranks, int steps, int chunk, bool cachesPrefixes)
    {
        await using var undisturbed = Start(null, ranks, 1, 2048, cachesPrefixes: true);
        await using var resumed = Start(proposer, ranks, steps, chunk, cachesPrefixes);
        int[] prompt = [.. Tokenizer.Encode("Once there was a small robot named Pip, who lived in a busy harbor", addSpecialTokens: true)];
        SamplingParameters[] ways =
            [Sampled, Sampled with { N = 3, Seed = 5, MaxTokens = 12 }, Sampled with { Temperature = 0, Stop = [] }];
        foreach (var sampling in ways)
        {
            var whole = await Generation.CollectAllAsync(undisturbed.GenerateAsync(Request(sampling, prompt), CancellationToken.None));
            foreach (var cut in Enumerable.Range(0, 4).Select(i => 1 + (5 * i)))
            {
                // Each sequence is somewhere else.
                var given = whole.Select((one, i) => one.TokenIds[..Math.Min(one.TokenIds.Length, Math.Max(0, cut - (3 * i)))]).ToArray();
                var rest = await Generation.CollectAllAsync(
                    resumed.GenerateAsync(
                        Request(sampling, prompt) with { Resumption = new Resumption(given), TellsTextLengths = true },
                        CancellationToken.None));

                for (var i = 0; i < whole.Length; i++)
                {
                    Assert.Equal(whole[i].TokenIds, rest[i].TokenIds);
                    Assert.Equal(whole[i].Text, rest[i].Text);
                    Assert.Equal(whole[i].Last.FinishReason, rest[i].Last.FinishReason);
                    Assert.Equal(whole[i].Last.StopReason, rest[i].Last.StopReason);
                    Assert.Equal(Bits(whole[i], given[i].Length), Bits(rest[i], given[i].Length));
                }
            }
        }

        Assert.Equal(0, resumed.Statistics.KvCacheUsage);
        Assert.Equal(0, resumed.Statistics.Running + resumed.Statistics.Waiting);
    }

    [Fact]
    public async Task Given_tokens_are_computed_like_a_prompt()
    {
        var runner = Runner();
        var steps = new List<int>();
        runner.OnLaunch = batch => steps.Add(batch.NumTokens);
        await using var engine = NewEngine(runner);
        var expected = Generation.Greedy(Vocab, Prompt, 104);

        var result = await Generation.CollectAsync(
            engine.GenerateAsync(
                Request(Greedy with { MaxTokens = 104 }) with { Resumption = new Resumption([expected[..100]]) }, CancellationToken.None));

        Assert.Equal(expected, result.TokenIds);
        Assert.Equal([Prompt.Length + 100, 1, 1, 1], steps);
        Assert.Equal(4, engine.Statistics.GenerationTokens);
    }

    [Fact]
    public async Task Sequences_of_a_request_share_what_is_cached_of_their_prompt()
    {
        var runner = Runner();
        var tokens = 0;
        runner.OnLaunch = batch => tokens += batch.NumTokens;
        await using var engine = NewEngine(runner);
        int[] prompt = [.. Enumerable.Range(0, 41)];
        var sampling = Greedy with { N = 4, Temperature = 1, Seed = 3, MaxTokens = 8 };
        var whole = await Generation.CollectAllAsync(engine.GenerateAsync(Request(sampling, prompt), CancellationToken.None));
        tokens = 0;

        var rest = await Generation.CollectAllAsync(
            engine.GenerateAsync(
                Request(sampling, prompt) with { Resumption = new Resumption([.. whole.Select(one => one.TokenIds[..4])]) },
                CancellationToken.None));

        Assert.Equal(whole.Select(one => one.Text), rest.Select(one => one.Text));
        Assert.InRange(tokens, 4, 4 * 12);
    }

    [Fact]
    public async Task A_sequence_that_had_ended_leaves_without_a_step()
    {
        var runner = Runner();
        var steps = 0;
        await using var engine = NewEngine(runner);
        var sampling = Greedy with { N = 2, Temperature = 1, Seed = 3 };
        var whole = await Generation.CollectAllAsync(engine.GenerateAsync(Request(sampling), CancellationToken.None));
        runner.OnLaunch = _ => steps++;

        var rest = await Generation.CollectAllAsync(
            engine.GenerateAsync(
                Request(sampling) with { Resumption = new Resumption([.. whole.Select(one => one.TokenIds)]), CachedTokens = 4 },
                CancellationToken.None));

        Assert.Equal(0, steps);
        Assert.Equal(whole.Select(one => one.Text), rest.Select(one => one.Text));
        Assert.All(
            rest,
            one => Assert.Equal(
                (FinishReason.Length, 10, 4), (one.Last.FinishReason, one.Last.CompletionTokens, one.Last.CachedTokens)));
        Assert.Equal(0, engine.Statistics.Running + engine.Statistics.Waiting);
    }

    [Fact]
    public async Task Given_tokens_are_told_even_of_a_request_that_is_aborted_before_its_turn()
    {
        await using var engine = NewEngine(EndlessRunner(), new EngineOptions { MaxNumSeqs = 1 });
        using var leaving = new CancellationTokenSource();
        await using var running = engine.GenerateAsync(Request(Endless), leaving.Token).GetAsyncEnumerator();
        await running.MoveNextAsync();
        var request = Request(Greedy) with { Resumption = new Resumption([[7, 8, 9]]), TellsTextLengths = true };

        var outputs = engine.GenerateAsync(request, CancellationToken.None);
        engine.Abort(request.RequestId);
        var aborted = await Generation.CollectAsync(outputs);

        Assert.Equal([7, 8, 9], aborted.TokenIds);
        Assert.Equal((FinishReason.Abort, 3), (aborted.Last.FinishReason, aborted.Last.CompletionTokens));
        Assert.Equal(3, aborted.Last.OneByOne().Count());
    }

    [Fact]
    public async Task One_by_one_outputs_are_those_of_a_reader_that_keeps_up()
    {
        await using var engine = Start("look-up", 1, 1, 2048, cachesPrefixes: true);
        int[] prompt = [.. Tokenizer.Encode("Once there was a small robot", addSpecialTokens: true)];
        var sampling = Sampled with { MaxTokens = 40 };
        var outputs = new List<TokenOutput>();
        var request = Request(sampling, prompt) with { TellsTextLengths = true };
        await foreach (var output in engine.GenerateAsync(request, CancellationToken.None))
        {
            outputs.Add(output);
        }

        var joined = new JoinedOutput();
        outputs.ForEach(joined.Add);

        var parts = outputs.SelectMany(output => output.OneByOne()).ToArray();
        var again = joined.Whole().OneByOne().ToArray();

        Assert.All(parts, part => Assert.Single(part.TokenIds));
        Assert.Equal(Enumerable.Range(1, parts.Length), parts.Select(part => part.CompletionTokens));
        Assert.Equal(parts.Select(part => part.Text), again.Select(part => part.Text));
        Assert.Equal(parts.Select(part => part.Logprobs![0].Sampled), again.Select(part => part.Logprobs![0].Sampled));
        Assert.All(parts.SkipLast(1), part => Assert.Null(part.FinishReason));
        Assert.NotNull(parts[^1].FinishReason);
    }

    [Theory]
    [InlineData("behind the end", "ends with token 3")]
    [InlineData("no token", "[0, 64)")]
    [InlineData("too many", "at most 10")]
    [InlineData("beams", "chosen at the end")]
    [InlineData("best of", "chosen at the end")]
    [InlineData("more outputs", "at most 1")]
    [InlineData("another pattern", "cannot go on")]
    public async Task What_cannot_have_been_generated_is_refused(string what, string named)
    {
        await using var engine = NewEngine(Runner(), new EngineOptions { EosTokenIds = [0] });
        var (sampling, tokens) = what switch
        {
            "behind the end" => (Greedy with { StopTokenIds = [9] }, [[7, 8, 9, 7]]),
            "no token" => (Greedy, [[64]]),
            "too many" => (Greedy, [[.. Enumerable.Repeat(7, 11)]]),
            "beams" => (Greedy with { BestOf = 2, Beams = new BeamParameters() }, [[7]]),
            "best of" => (Greedy with { Temperature = 1, BestOf = 2 }, [[7]]),
            "another pattern" => (Greedy with { IgnoreEos = false, Constraint = new Constraint.Regex("1+") }, [[5]]),
            _ => (Greedy, (int[][])[[7], [8]]),
        };

        var refused = Assert.Throws<InvalidRequestException>(
            () => engine.GenerateAsync(Request(sampling) with { Resumption = new Resumption(tokens) }, CancellationToken.None));

        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, engine.Statistics.Running + engine.Statistics.Waiting);
    }

    /// <summary>Equal bits of log-probabilities are equal logits; those of given tokens are not known.</summary>
    private static IEnumerable<(int, int)> Bits(Generation generation, int given) => generation.Logprobs.Skip(given)
        .SelectMany(position => position.Top.Append(position.Sampled))
        .Select(one => (one.TokenId, BitConverter.SingleToInt32Bits(one.Logprob)));

    private static LlmEngine Start(string? proposer, int ranks, int steps, int chunk, bool cachesPrefixes)
    {
        var options = new ModelRunnerOptions { MaxSequences = 16, MaxLogits = 96, MaxModelLength = 256, MaxBatchedTokens = 2048 };
        var runner = ranks == 1
            ? ModelLoader.Load(Fixtures.Haiku, CpuBackend.Create(new CpuOptions { Threads = 1 }), options).Runner
            : (IModelRunner)CpuRanks.Load(Fixtures.Haiku, ranks, options).Runner;
        return new LlmEngine(
            runner,
            Tokenizer,
            new EngineOptions
            {
                EosTokenIds = [.. ModelConfig.Load(Fixtures.Haiku).EosTokenIds],
                NumSpeculativeTokens = 3,
                NumSchedulerSteps = steps,
                MaxNumSeqs = 16,
                MaxNumBatchedTokens = chunk,
                EnablePrefixCaching = cachesPrefixes,
            },
            TimeProvider.System,
            proposer switch
            {
                null => null,
                "look-up" => new NgramProposer(1, 4),
                _ => new DraftModelProposer(
                    ModelLoader.Load(Fixtures.HaikuDraft, CpuBackend.Create(new CpuOptions { Threads = 1 }), options).Runner,
                    runner.VocabSize),
            });
    }
}
