using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Requests of several sequences; that each equals what it gives alone is <see cref="EngineWorkloadTests"/>'.</summary>
public class ActiveRequestTests
{
    private const int Vocab = 64;
    private static readonly int[] Prompt = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    private static readonly SamplingParameters Sampling = new() { N = 3, Seed = 7, MaxTokens = 6, IgnoreEos = true };

    [Fact(Timeout = 30_000)]
    public async Task The_prompt_is_computed_once_and_only_its_partial_block_is_copied()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 100);
        await using var engine = Engine(runner);

        var generations = await RunAsync(engine, Sampling);

        // 10 rows for the prompt, then 5 for each sequence: its last token is never computed.
        Assert.Equal(10 + 3 * 5, runner.RowsComputed);
        Assert.Equal(2, runner.BlocksCopied);
        Assert.Equal(3, generations.Select(generation => generation.Text).Distinct().Count());
        Assert.Equal((10, 18), (engine.Statistics.PromptTokens, engine.Statistics.GenerationTokens));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_prompt_of_whole_blocks_needs_no_copy()
    {
        var runner = new FakeModelRunner(Vocab, 5, 64, 100);
        await using var engine = Engine(runner);

        await RunAsync(engine, Sampling);

        Assert.Equal(0, runner.BlocksCopied);
    }

    [Fact(Timeout = 30_000)]
    public async Task Sequences_beyond_those_that_may_run_wait_for_their_turn()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 100, maxSequences: 2);
        await using var engine = Engine(runner);
        await using var wide = Engine(new FakeModelRunner(Vocab, 4, 64, 100));

        var narrow = await RunAsync(engine, Sampling with { N = 5 });

        Assert.Equal(
            (await RunAsync(wide, Sampling with { N = 5 })).Select(generation => generation.Text),
            narrow.Select(generation => generation.Text));
    }

    [Fact(Timeout = 30_000)]
    public async Task Sequences_without_a_seed_differ()
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 100));

        var generations = await RunAsync(engine, Sampling with { Seed = null, N = 4 });

        Assert.Equal(4, generations.Select(generation => generation.Text).Distinct().Count());
    }

    [Fact(Timeout = 30_000)]
    public async Task An_abort_ends_every_sequence_and_frees_all_blocks()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 100);
        await using var engine = Engine(runner);
        runner.OnLaunch = _ =>
        {
            if (runner.Steps == 4)
            {
                engine.Abort("group");
            }
        };

        var generations = await RunAsync(engine, Sampling with { MaxTokens = null });

        Assert.Equal(3, generations.Length);
        Assert.All(generations, generation => Assert.Equal(FinishReason.Abort, generation.Last.FinishReason));
        Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
    }

    [Theory(Timeout = 30_000)]
    [InlineData(null)]
    [InlineData(5)]
    public async Task An_abort_before_the_prompt_is_computed_ends_every_sequence_too(int? bestOf)
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 100);
        await using var engine = Engine(runner, new EngineOptions { MaxNumBatchedTokens = 4, MaxNumSeqs = 4 });
        runner.OnLaunch = _ => engine.Abort("group");

        var generations = await RunAsync(engine, Sampling with { BestOf = bestOf });

        Assert.Equal(3, generations.Length);
        Assert.All(
            generations, generation => Assert.Equal((FinishReason.Abort, 0), (generation.Last.FinishReason, generation.TokenIds.Length)));
        Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_failure_of_one_sequence_is_the_requests()
    {
        var runner = new FakeModelRunner(Vocab, 4, 64, 100);
        await using var engine = Engine(runner);
        var poisoned = (await RunAsync(engine, Sampling))[1].TokenIds[..3];
        runner.OnLogits = (context, row) =>
        {
            if (context.AsSpan().EndsWith(poisoned))
            {
                row[0] = float.NaN;
            }
        };

        await Assert.ThrowsAsync<GenerationFailedException>(() => RunAsync(engine, Sampling));
        runner.OnLogits = null;

        Assert.Equal(3, (await RunAsync(engine, Sampling)).Length);
        Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
    }

    [Fact(Timeout = 30_000)]
    public async Task The_best_are_sent_whole_when_all_have_ended()
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 100));
        var all = await RunAsync(engine, Sampling with { N = 6, Logprobs = 2 });
        var outputs = new List<TokenOutput>();
        await foreach (var output in engine.GenerateAsync(
            new GenerationRequest("group", Prompt, Sampling with { N = 2, BestOf = 6 }), CancellationToken.None))
        {
            outputs.Add(output);
        }

        var expected = all.OrderByDescending(generation => generation.Logprobs.Sum(position => (double)position.Sampled.Logprob)).Take(2)
            .ToList();
        Assert.Equal([0, 1], outputs.Select(output => output.Index));
        Assert.Equal(expected.Select(generation => generation.Text), outputs.Select(output => output.Text));
        Assert.Equal(expected.Select(generation => generation.TokenIds), outputs.Select(output => output.TokenIds));
        Assert.All(
            outputs,
            output => Assert.Equal((6, FinishReason.Length, null), (output.CompletionTokens, output.FinishReason, output.Logprobs)));
    }

    [Theory(Timeout = 30_000)]
    [InlineData(null, false)]
    [InlineData(5, false)]
    [InlineData(null, true)]
    public async Task The_time_of_the_first_token_is_known_even_where_outputs_leave_at_the_end(int? bestOf, bool beams)
    {
        var time = new ManualTime();
        var observer = new RecordingObserver();
        var runner = new FakeModelRunner(Vocab, 4, 64, 100) { OnLaunch = _ => time.Advance(TimeSpan.FromSeconds(1)) };
        await using var engine = new LlmEngine(
            runner, new ByteTokenizer(), new EngineOptions { MaxNumBatchedTokens = 5, MaxNumSeqs = 5 }, time, observer: observer);
        var sampling = Sampling with { BestOf = bestOf, Temperature = beams ? 0 : 1, Beams = beams ? new() : null };

        var generations = await RunAsync(engine, sampling);

        // Two steps for the prompt.
        var ended = Assert.Single(observer.Requests);
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromSeconds(2)), (ended.Queue, ended.FirstToken));
        Assert.Equal(
            generations.Select(generation => ((FinishReason?)FinishReason.Length, generation.Last.CompletionTokens)),
            ended.Outputs.Select(output => (output.FinishReason, output.CompletionTokens)));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_request_counts_as_many_places_as_it_has_sequences()
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 100), new EngineOptions { MaxNumSeqs = 2, MaxQueue = 2 });

        var refused = Assert.Throws<QueueFullException>(
            () => engine.GenerateAsync(new GenerationRequest("group", Prompt, Sampling with { N = 5 }), CancellationToken.None));

        Assert.Contains("the request has 5", refused.Message, StringComparison.Ordinal);
        Assert.Equal(4, (await RunAsync(engine, Sampling with { N = 4 })).Length);
    }

    [Theory]
    [InlineData(0, null, "n")]
    [InlineData(129, null, "n")]
    [InlineData(3, 2, "best_of")]
    [InlineData(1, 129, "best_of")]
    public async Task Impossible_numbers_of_sequences_are_refused(int n, int? bestOf, string parameter)
    {
        await using var engine = Engine(new FakeModelRunner(Vocab, 4, 64, 100));

        var refused = Assert.Throws<InvalidRequestException>(
            () => engine.GenerateAsync(
                new GenerationRequest("group", Prompt, Sampling with { N = n, BestOf = bestOf }), CancellationToken.None));

        Assert.Equal(parameter, refused.Parameter);
    }

    private static LlmEngine Engine(FakeModelRunner runner, EngineOptions? options = null) =>
        new(runner, new ByteTokenizer(), options ?? new EngineOptions(), TimeProvider.System);

    private static Task<Generation[]> RunAsync(LlmEngine engine, SamplingParameters sampling) =>
        Generation.CollectAllAsync(engine.GenerateAsync(new GenerationRequest("group", Prompt, sampling), CancellationToken.None));
}
