using Cluster.Worker.Engine;
using Xunit;

namespace Cluster.Worker.Tests.Engine;

public class LlmEngineTests
{
    private const int Vocab = 64;
    private static readonly SamplingParameters Greedy = new() { Temperature = 0, MaxTokens = 10, IgnoreEos = true };
    private static readonly SamplingParameters Endless = Greedy with { MaxTokens = null };
    private static readonly int[] Prompt = [5, 6, 7, 8, 9];

    [Fact(Timeout = 30_000)]
    public async Task Greedy_output_is_that_of_decoding_without_an_engine()
    {
        await using var engine = Engine(Runner());

        var generation = await RunAsync(engine, Greedy);

        Assert.Equal(Generation.Greedy(Vocab, Prompt, 10), generation.TokenIds);
        Assert.Equal(new ByteTokenizer().Decode(generation.TokenIds, true), generation.Text);
        Assert.Equal((FinishReason.Length, null), (generation.Last.FinishReason, generation.Last.StopReason));
        Assert.Equal((5, 10, 0), (generation.Last.PromptTokens, generation.Last.CompletionTokens, generation.Last.CachedTokens));
    }

    [Fact(Timeout = 30_000)]
    public async Task Every_token_is_an_output_of_its_own()
    {
        await using var engine = Engine(Runner());
        var completions = new List<int>();
        await foreach (var output in engine.GenerateAsync(Request(Greedy), CancellationToken.None))
        {
            Assert.Single(output.TokenIds);
            completions.Add(output.CompletionTokens);
        }

        Assert.Equal(Enumerable.Range(1, 10), completions);
    }

    [Fact(Timeout = 30_000)]
    public async Task End_of_sequence_ends_the_output_without_showing_its_text()
    {
        var expected = Generation.Greedy(Vocab, Prompt, 10);
        await using var engine = Engine(Runner(), new EngineOptions { EosTokenIds = [expected[3], 9999] });

        var generation = await RunAsync(engine, Greedy with { IgnoreEos = false });

        Assert.Equal(expected[..4], generation.TokenIds);
        Assert.Equal(new ByteTokenizer().Decode(expected.AsSpan(0, 3), true), generation.Text);
        Assert.Equal((FinishReason.Stop, null), (generation.Last.FinishReason, generation.Last.StopReason));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_stop_token_is_named_as_the_reason_and_shown_only_when_asked()
    {
        var expected = Generation.Greedy(Vocab, Prompt, 10);
        await using var engine = Engine(Runner());
        var sampling = Greedy with { StopTokenIds = [expected[3]] };

        var hidden = await RunAsync(engine, sampling);
        var shown = await RunAsync(engine, sampling with { IncludeStopStringInOutput = true });

        Assert.Equal((FinishReason.Stop, expected[3].ToString()), (hidden.Last.FinishReason, hidden.Last.StopReason));
        Assert.Equal(new ByteTokenizer().Decode(expected.AsSpan(0, 3), true), hidden.Text);
        Assert.Equal(new ByteTokenizer().Decode(expected.AsSpan(0, 4), true), shown.Text);
    }

    [Fact(Timeout = 30_000)]
    public async Task A_stop_text_across_tokens_ends_the_output_before_it()
    {
        var text = new ByteTokenizer().Decode(Generation.Greedy(Vocab, Prompt, 10), true);
        await using var engine = Engine(Runner());

        var generation = await RunAsync(engine, Greedy with { Stop = ["never", text[4..7]] });

        Assert.Equal(text[..text.IndexOf(text[4..7], StringComparison.Ordinal)], generation.Text);
        Assert.Equal((FinishReason.Stop, text[4..7]), (generation.Last.FinishReason, generation.Last.StopReason));
        Assert.Equal(7, generation.TokenIds.Length);
    }

    [Fact(Timeout = 30_000)]
    public async Task Text_held_back_for_a_stop_text_comes_with_the_last_output_when_none_follows()
    {
        var text = new ByteTokenizer().Decode(Generation.Greedy(Vocab, Prompt, 10), true);
        await using var engine = Engine(Runner());

        var generation = await RunAsync(engine, Greedy with { Stop = [text[8..] + "never"] });

        Assert.Equal(text, generation.Text);
        Assert.Equal(text[8..], generation.Last.Text);
        Assert.Equal(FinishReason.Length, generation.Last.FinishReason);
    }

    [Fact(Timeout = 30_000)]
    public async Task Text_held_back_comes_with_the_last_output_of_an_aborted_request_too()
    {
        // Token 0xE4 begins a character and is the only one ever chosen.
        var runner = new FakeModelRunner(256, 4, 30_000, 100_000);
        await using var engine = new LlmEngine(runner, new ByteTokenizer(), new EngineOptions(), TimeProvider.System);
        var request = Request(Endless with { LogitBias = new Dictionary<int, float> { [0xE4] = 100 }, Stop = ["\uFFFD\uFFFDx"] });
        runner.OnLaunch = _ =>
        {
            if (runner.Steps == 6)
            {
                engine.Abort(request.RequestId);
            }
        };

        var generation = await Generation.CollectAsync(engine.GenerateAsync(request, CancellationToken.None));

        Assert.Equal(7, generation.Last.CompletionTokens);
        Assert.Equal(new string('\uFFFD', 7), generation.Text);
        Assert.Equal(FinishReason.Abort, generation.Last.FinishReason);
    }

    [Fact(Timeout = 30_000)]
    public async Task No_stop_of_any_kind_comes_before_the_minimum_length()
    {
        var expected = Generation.Greedy(Vocab, Prompt, 10);
        var text = new ByteTokenizer().Decode(expected, true);
        await using var engine = Engine(Runner(), new EngineOptions { EosTokenIds = [expected[2]] });

        var byToken = await RunAsync(engine, Greedy with { IgnoreEos = false, MinTokens = 5 });
        var byText = await RunAsync(engine, Greedy with { Stop = [text[1..3]], MinTokens = 5 });

        Assert.DoesNotContain(expected[2], byToken.TokenIds[..5]);
        Assert.Equal(text, byText.Text);
    }

    [Fact(Timeout = 30_000)]
    public async Task Without_a_maximum_a_request_runs_to_the_models_length()
    {
        await using var engine = Engine(Runner(maxModelLength: 40));

        var generation = await RunAsync(engine, Greedy with { MaxTokens = null });

        Assert.Equal(35, generation.TokenIds.Length);
        Assert.Equal(FinishReason.Length, generation.Last.FinishReason);
    }

    [Fact(Timeout = 30_000)]
    public async Task The_same_seed_gives_the_same_tokens_alone_and_among_others()
    {
        var sampling = new SamplingParameters { Seed = 7, MaxTokens = 20, IgnoreEos = true };
        await using var alone = Engine(Runner());
        await using var crowded = Engine(Runner(), new EngineOptions { MaxNumBatchedTokens = 8, MaxNumSeqs = 6, EnablePrefixCaching = false });
        var others = Enumerable.Range(0, 8).Select(i => RunAsync(crowded, sampling with { Seed = i + 100 }, [i, i])).ToArray();

        var generation = await RunAsync(crowded, sampling);
        await Task.WhenAll(others);

        Assert.Equal((await RunAsync(alone, sampling)).TokenIds, generation.TokenIds);
    }

    [Fact(Timeout = 30_000)]
    public async Task Requests_without_a_seed_differ_from_each_other_and_repeat_with_the_engines_seed()
    {
        var sampling = new SamplingParameters { MaxTokens = 20, IgnoreEos = true };
        async Task<int[][]> TwiceAsync(long seed)
        {
            await using var engine = Engine(Runner(), new EngineOptions { Seed = seed });
            return [(await RunAsync(engine, sampling)).TokenIds, (await RunAsync(engine, sampling)).TokenIds];
        }

        var first = await TwiceAsync(1);

        Assert.NotEqual(first[0], first[1]);
        Assert.Equal(first, await TwiceAsync(1));
        Assert.NotEqual(first, await TwiceAsync(2));
    }

    [Fact(Timeout = 30_000)]
    public async Task Log_probabilities_come_with_each_token_when_asked()
    {
        await using var engine = Engine(Runner());

        var generation = await RunAsync(engine, Greedy with { Logprobs = 3, LogitBias = new Dictionary<int, float> { [20] = 100 } });
        var without = await RunAsync(engine, Greedy);

        Assert.Equal(generation.TokenIds, generation.Logprobs.Select(logprobs => logprobs.Sampled.TokenId));
        Assert.All(generation.Logprobs, logprobs => Assert.Equal(3, logprobs.Top.Count));
        Assert.All(generation.TokenIds, token => Assert.Equal(20, token));
        Assert.True(generation.Logprobs[0].Sampled.Logprob < generation.Logprobs[0].Top[0].Logprob);
        Assert.Empty(without.Logprobs);
    }

    [Fact(Timeout = 30_000)]
    public async Task A_prompt_seen_before_is_reported_as_cached()
    {
        await using var engine = Engine(Runner());
        var prompt = Enumerable.Range(0, 20).ToArray();
        await RunAsync(engine, Greedy, prompt);

        var again = await RunAsync(engine, Greedy, prompt);

        Assert.Equal(16, again.Last.CachedTokens);
        Assert.Equal(Generation.Greedy(Vocab, prompt, 10), again.TokenIds);
        Assert.Equal((40, 16, 40, 20), (
            engine.Statistics.PrefixCacheQueries, engine.Statistics.PrefixCacheHits, engine.Statistics.PromptTokens, engine.Statistics.GenerationTokens));
    }

    [Fact(Timeout = 30_000)]
    public async Task Cancelling_frees_the_blocks_before_the_next_step()
    {
        await using var engine = Engine(EndlessRunner());
        using var cancellation = new CancellationTokenSource();
        var other = engine.GenerateAsync(Request(Endless), CancellationToken.None).GetAsyncEnumerator();
        var cancelled = engine.GenerateAsync(Request(Endless, [1, 2, 3]), cancellation.Token).GetAsyncEnumerator();
        await cancelled.MoveNextAsync();

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (await cancelled.MoveNextAsync())
            {
            }
        });

        await NextStepAsync(other, engine);
        Assert.Equal((1, 0), (engine.Statistics.Running, engine.Statistics.Waiting));
        await other.DisposeAsync();
    }

    [Fact(Timeout = 30_000)]
    public async Task Leaving_the_enumeration_frees_the_blocks_before_the_next_step()
    {
        await using var engine = Engine(EndlessRunner());
        var other = engine.GenerateAsync(Request(Endless), CancellationToken.None).GetAsyncEnumerator();
        await foreach (var _ in engine.GenerateAsync(Request(Endless, [1, 2, 3]), CancellationToken.None))
        {
            break;
        }

        await NextStepAsync(other, engine);
        Assert.Equal((1, 0), (engine.Statistics.Running, engine.Statistics.Waiting));
        await other.DisposeAsync();
    }

    [Fact(Timeout = 30_000)]
    public async Task A_token_cancelled_beforehand_queues_nothing()
    {
        await using var engine = Engine(Runner());

        Assert.ThrowsAny<OperationCanceledException>(() => engine.GenerateAsync(Request(Greedy), new CancellationToken(true)));
        Assert.Equal((0, 0), (engine.Statistics.Running, engine.Statistics.Waiting));
    }

    [Fact(Timeout = 30_000)]
    public async Task Abort_ends_a_request_with_its_reason_and_knows_which_ones_run()
    {
        await using var engine = Engine(EndlessRunner());
        var request = Request(Endless);
        var outputs = engine.GenerateAsync(request, CancellationToken.None);

        Assert.True(engine.Abort(request.RequestId));
        var generation = await Generation.CollectAsync(outputs);

        Assert.Equal(FinishReason.Abort, generation.Last.FinishReason);
        Assert.False(engine.Abort(request.RequestId));
        Assert.False(engine.Abort("never seen"));
        Assert.Equal(0, engine.Statistics.KvCacheUsage);
    }

    [Fact(Timeout = 30_000)]
    public async Task A_request_id_in_use_is_refused_and_free_again_at_the_end()
    {
        await using var engine = Engine(EndlessRunner());
        var request = Request(Greedy);
        var outputs = engine.GenerateAsync(request with { Sampling = Endless }, CancellationToken.None);

        var refused = Assert.Throws<InvalidRequestException>(() => engine.GenerateAsync(request, CancellationToken.None));
        Assert.Contains(request.RequestId, refused.Message);
        engine.Abort(request.RequestId);
        await Generation.CollectAsync(outputs);
        await Generation.CollectAsync(engine.GenerateAsync(request, CancellationToken.None));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_full_queue_refuses_more()
    {
        using var hold = new ManualResetEventSlim();
        var runner = Runner();
        runner.OnLaunch = _ => hold.Wait();
        await using var engine = Engine(runner, new EngineOptions { MaxNumSeqs = 1, MaxQueue = 2 });
        var running = Enumerable.Range(0, 3).Select(_ => RunAsync(engine, Greedy)).ToArray();

        var refused = Assert.Throws<QueueFullException>(() => engine.GenerateAsync(Request(Greedy), CancellationToken.None));

        Assert.Contains("3 sequences", refused.Message);
        hold.Set();
        await Task.WhenAll(running);
        await RunAsync(engine, Greedy);
    }

    [Fact(Timeout = 30_000)]
    public async Task Logits_that_are_no_numbers_fail_their_own_request_only()
    {
        var runner = Runner();
        runner.OnLogits = (context, row) => row[3] = context[0] == 1 && context.Length > 4 ? float.NaN : row[3];
        await using var engine = Engine(runner);
        var healthy = RunAsync(engine, Greedy);

        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => RunAsync(engine, Greedy, [1, 2, 3]));

        Assert.Contains("NaN at output position 2", failure.Message);
        Assert.Equal(10, (await healthy).TokenIds.Length);
        Assert.Equal((0, 0, 0.0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.KvCacheUsage));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_token_the_tokenizer_cannot_decode_fails_its_own_request_only()
    {
        await using var engine = new LlmEngine(
            new FakeModelRunner(300, 4, 64, 200), new ByteTokenizer(longTokens: [[0x41]]), new EngineOptions(), TimeProvider.System);
        var bias = new Dictionary<int, float> { [290] = 100 };

        var failure = await Assert.ThrowsAsync<GenerationFailedException>(() => RunAsync(engine, Greedy with { LogitBias = bias }));

        Assert.Contains("output position 0", failure.Message);
        Assert.Equal(10, (await RunAsync(engine, Greedy with { LogitBias = new Dictionary<int, float> { [65] = 100 } })).Text.Length);
    }

    [Fact(Timeout = 30_000)]
    public async Task A_runner_that_throws_ends_every_request_and_the_engine()
    {
        using var hold = new ManualResetEventSlim();
        var runner = Runner();
        runner.OnLaunch = _ =>
        {
            hold.Wait();
            if (runner.Steps == 5)
            {
                throw new InvalidOperationException("device lost");
            }
        };
        await using var engine = Engine(runner, new EngineOptions { MaxNumSeqs = 2 });
        var running = Enumerable.Range(0, 4).Select(_ => RunAsync(engine, Greedy with { MaxTokens = 100 })).ToArray();
        hold.Set();

        foreach (var task in running)
        {
            var told = await Assert.ThrowsAsync<EngineUnavailableException>(() => task);
            Assert.Contains("device lost", told.Message);
        }

        var refused = Assert.Throws<EngineUnavailableException>(() => engine.GenerateAsync(Request(Greedy), CancellationToken.None));
        Assert.Contains("device lost", refused.Message);
        await Assert.ThrowsAsync<InvalidOperationException>(() => engine.Completion);
        await engine.DrainAsync(TimeSpan.FromHours(1));
        Assert.True(runner.IsDisposed);
    }

    [Fact(Timeout = 30_000)]
    public async Task Draining_refuses_new_requests_and_lets_the_running_ones_finish()
    {
        using var hold = new ManualResetEventSlim();
        var runner = Runner();
        runner.OnLaunch = _ => hold.Wait();
        await using var engine = Engine(runner);
        var running = RunAsync(engine, Greedy);

        var drained = engine.DrainAsync(Timeout.InfiniteTimeSpan);
        Assert.Throws<EngineUnavailableException>(() => engine.GenerateAsync(Request(Greedy), CancellationToken.None));
        Assert.False(drained.IsCompleted);
        hold.Set();
        await drained;

        Assert.Equal(FinishReason.Length, (await running).Last.FinishReason);
    }

    [Fact(Timeout = 30_000)]
    public async Task Draining_aborts_what_still_runs_after_the_timeout()
    {
        var time = new ManualTimeProvider();
        await using var engine = new LlmEngine(
            EndlessRunner(), new ByteTokenizer(), new EngineOptions { MaxNumSeqs = 1 }, time);
        Task<Generation>[] running = [RunAsync(engine, Endless), RunAsync(engine, Endless)];

        var drained = engine.DrainAsync(TimeSpan.FromSeconds(45));
        await time.TimerSet.Task;
        time.Advance(TimeSpan.FromSeconds(44));
        Assert.False(drained.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));
        await drained;

        Assert.All(await Task.WhenAll(running), generation => Assert.Equal(FinishReason.Abort, generation.Last.FinishReason));
        Assert.Equal((0, 0), (engine.Statistics.Running, engine.Statistics.Waiting));
    }

    [Fact(Timeout = 30_000)]
    public async Task Disposal_aborts_requests_and_disposes_the_runner()
    {
        var runner = EndlessRunner();
        var engine = Engine(runner);
        var running = RunAsync(engine, Endless);

        await engine.DisposeAsync();

        Assert.Equal(FinishReason.Abort, (await running).Last.FinishReason);
        Assert.True(runner.IsDisposed);
        Assert.Throws<EngineUnavailableException>(() => engine.GenerateAsync(Request(Greedy), CancellationToken.None));
    }

    [Fact(Timeout = 30_000)]
    public async Task The_observer_hears_of_first_tokens_gaps_and_ends()
    {
        var runner = Runner();
        var time = new ManualTimeProvider();
        runner.OnLaunch = _ => time.Advance(TimeSpan.FromMilliseconds(runner.Steps == 0 ? 30 : 20));
        var observer = new RecordingObserver();
        await using var engine = new LlmEngine(runner, new ByteTokenizer(), new EngineOptions(), time) { Observer = observer };

        await RunAsync(engine, Greedy with { MaxTokens = 3 });

        Assert.Equal(["first 30", "inter 20", "inter 20", "Length 70 5 3"], observer.Events);
    }

    [Fact]
    public void Options_that_do_not_fit_the_runner_are_refused()
    {
        void Make(EngineOptions options)
        {
            _ = new LlmEngine(Runner(), new ByteTokenizer(), options, TimeProvider.System);
        }

        var refused = Assert.Throws<ArgumentException>(() => Make(new EngineOptions { EnableChunkedPrefill = false, MaxNumBatchedTokens = 100 }));
        Assert.Contains("100", refused.Message);
        Assert.ThrowsAny<ArgumentException>(() => Make(new EngineOptions { MaxNumSeqs = 0 }));
        Assert.ThrowsAny<ArgumentException>(() => Make(new EngineOptions { MaxNumBatchedTokens = 0 }));
        Assert.ThrowsAny<ArgumentException>(() => Make(new EngineOptions { MaxQueue = -1 }));
        Assert.ThrowsAny<ArgumentException>(() => Make(new EngineOptions { MaxLogprobs = -1 }));
    }

    private static FakeModelRunner Runner(int maxModelLength = 250, int numBlocks = 1000) => new(Vocab, 4, numBlocks, maxModelLength);

    /// <summary>With room for requests that never end by themselves while a test looks at them.</summary>
    private static FakeModelRunner EndlessRunner() => Runner(maxModelLength: 100_000, numBlocks: 30_000);

    private static LlmEngine Engine(FakeModelRunner runner, EngineOptions? options = null) =>
        new(runner, new ByteTokenizer(), options ?? new EngineOptions(), TimeProvider.System);

    private static GenerationRequest Request(SamplingParameters sampling, int[]? prompt = null) =>
        new(Guid.NewGuid().ToString(), prompt ?? Prompt, sampling);

    private static Task<Generation> RunAsync(LlmEngine engine, SamplingParameters sampling, int[]? prompt = null) =>
        Generation.CollectAsync(engine.GenerateAsync(Request(sampling, prompt), CancellationToken.None));

    /// <summary>Reads on until an output of a step that began after this call.</summary>
    private static async Task NextStepAsync(IAsyncEnumerator<TokenOutput> outputs, LlmEngine engine)
    {
        var generated = engine.Statistics.GenerationTokens;
        do
        {
            Assert.True(await outputs.MoveNextAsync());
        }
        while (engine.Statistics.GenerationTokens < generated + 4);
    }

    private sealed class RecordingObserver : IEngineObserver
    {
        public List<string> Events { get; } = [];

        public void FirstToken(TimeSpan sinceArrival) => Events.Add($"first {sinceArrival.TotalMilliseconds}");

        public void InterToken(TimeSpan gap) => Events.Add($"inter {gap.TotalMilliseconds}");

        public void Finished(FinishReason reason, TimeSpan sinceArrival, int promptTokens, int completionTokens) =>
            Events.Add($"{reason} {sinceArrival.TotalMilliseconds} {promptTokens} {completionTokens}");
    }
}
