using Cluster.Worker.Engine;
using static Cluster.Worker.Tests.Engine.TestEngines;

namespace Cluster.Worker.Tests.Engine;

public class LlmEngineTests
{
    [Fact(Timeout = 30_000)]
    public async Task Greedy_output_is_that_of_decoding_without_an_engine()
    {
        await using var engine = NewEngine(Runner());

        var generation = await RunAsync(engine, Greedy);

        Assert.Equal(Generation.Greedy(Vocab, Prompt, 10), generation.TokenIds);
        Assert.Equal(new ByteTokenizer().Decode(generation.TokenIds, true), generation.Text);
        Assert.Equal((FinishReason.Length, null), (generation.Last.FinishReason, generation.Last.StopReason));
        Assert.Equal((5, 10, 0), (generation.Last.PromptTokens, generation.Last.CompletionTokens, generation.Last.CachedTokens));
    }

    [Fact(Timeout = 30_000)]
    public async Task Every_token_is_an_output_of_its_own()
    {
        using var read = new SemaphoreSlim(1);
        var runner = Runner();
        runner.OnLaunch = _ => read.Wait();
        await using var engine = NewEngine(runner);
        var completions = new List<int>();
        await foreach (var output in engine.GenerateAsync(Request(Greedy), CancellationToken.None))
        {
            read.Release();
            Assert.Single(output.TokenIds);
            completions.Add(output.CompletionTokens);
        }

        Assert.Equal(Enumerable.Range(1, 10), completions);
    }

    [Fact(Timeout = 30_000)]
    public async Task End_of_sequence_ends_the_output_without_showing_its_text()
    {
        var expected = Generation.Greedy(Vocab, Prompt, 10);
        await using var engine = NewEngine(Runner(), new EngineOptions { EosTokenIds = [expected[3], 9999] });

        var generation = await RunAsync(engine, Greedy with { IgnoreEos = false });

        Assert.Equal(expected[..4], generation.TokenIds);
        Assert.Equal(new ByteTokenizer().Decode(expected.AsSpan(0, 3), true), generation.Text);
        Assert.Equal((FinishReason.Stop, null), (generation.Last.FinishReason, generation.Last.StopReason));
    }

    [Fact(Timeout = 30_000)]
    public async Task A_stop_token_is_named_as_the_reason_and_shown_only_when_asked()
    {
        var expected = Generation.Greedy(Vocab, Prompt, 10);
        await using var engine = NewEngine(Runner());
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
        await using var engine = NewEngine(Runner());

        var generation = await RunAsync(engine, Greedy with { Stop = ["never", text[4..7]] });

        Assert.Equal(text[..text.IndexOf(text[4..7], StringComparison.Ordinal)], generation.Text);
        Assert.Equal((FinishReason.Stop, text[4..7]), (generation.Last.FinishReason, generation.Last.StopReason));
        Assert.Equal(7, generation.TokenIds.Length);
    }

    [Fact(Timeout = 30_000)]
    public async Task Text_held_back_for_a_stop_text_comes_with_the_last_output_when_none_follows()
    {
        var text = new ByteTokenizer().Decode(Generation.Greedy(Vocab, Prompt, 10), true);
        using var read = new SemaphoreSlim(1);
        var runner = Runner();
        runner.OnLaunch = _ => read.Wait();
        await using var engine = NewEngine(runner);
        var outputs = new List<TokenOutput>();
        await foreach (var output in engine.GenerateAsync(Request(Greedy with { Stop = [text[8..] + "never"] }), CancellationToken.None))
        {
            read.Release();
            outputs.Add(output);
        }

        Assert.Equal(text, string.Concat(outputs.Select(output => output.Text)));
        Assert.Equal(text[8..], outputs[^1].Text);
        Assert.Equal(FinishReason.Length, outputs[^1].FinishReason);
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
        await using var engine = NewEngine(Runner(), new EngineOptions { EosTokenIds = [expected[2]] });

        var byToken = await RunAsync(engine, Greedy with { IgnoreEos = false, MinTokens = 5 });
        var byText = await RunAsync(engine, Greedy with { Stop = [text[1..3]], MinTokens = 5 });

        Assert.DoesNotContain(expected[2], byToken.TokenIds[..5]);
        Assert.Equal(text, byText.Text);
    }

    [Fact(Timeout = 30_000)]
    public async Task Without_a_maximum_a_request_runs_to_the_models_length()
    {
        await using var engine = NewEngine(Runner(maxModelLength: 40));

        var generation = await RunAsync(engine, Greedy with { MaxTokens = null });

        Assert.Equal(35, generation.TokenIds.Length);
        Assert.Equal(FinishReason.Length, generation.Last.FinishReason);
    }

    [Fact(Timeout = 30_000)]
    public async Task The_same_seed_gives_the_same_tokens_alone_and_among_others()
    {
        var sampling = new SamplingParameters { Seed = 7, MaxTokens = 20, IgnoreEos = true };
        await using var alone = NewEngine(Runner());
        await using var crowded = NewEngine(
            Runner(), new EngineOptions { MaxNumBatchedTokens = 8, MaxNumSeqs = 6, EnablePrefixCaching = false });
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
            await using var engine = NewEngine(Runner(), new EngineOptions { Seed = seed });
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
        await using var engine = NewEngine(Runner());

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
        await using var engine = NewEngine(Runner());
        var prompt = Enumerable.Range(0, 20).ToArray();
        await RunAsync(engine, Greedy, prompt);

        var again = await RunAsync(engine, Greedy, prompt);

        Assert.Equal(16, again.Last.CachedTokens);
        Assert.Equal(Generation.Greedy(Vocab, prompt, 10), again.TokenIds);
        Assert.Equal((40, 16, 40, 20), (
            engine.Statistics.PrefixCacheQueries, engine.Statistics.PrefixCacheHits, engine.Statistics.PromptTokens,
            engine.Statistics.GenerationTokens));
    }

    [Fact(Timeout = 30_000)]
    public async Task The_observer_hears_of_first_tokens_gaps_and_ends()
    {
        var runner = Runner();
        var time = new ManualTime();
        runner.OnLaunch = _ => time.Advance(TimeSpan.FromMilliseconds(runner.Steps == 0 ? 30 : 20));
        var observer = new RecordingObserver();
        await using var engine = new LlmEngine(runner, new ByteTokenizer(), new EngineOptions(), time, observer: observer);

        await RunAsync(engine, Greedy with { MaxTokens = 3 });

        Assert.Equal(["first 30", "inter 20", "inter 20", "end 70: Length 70 3"], observer.Events);
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromMilliseconds(30)), (observer.Requests[0].Queue, observer.Requests[0].FirstToken));
    }

    [Fact]
    public void Options_that_do_not_fit_the_runner_are_refused()
    {
        void Make(EngineOptions options)
        {
            _ = new LlmEngine(Runner(), new ByteTokenizer(), options, TimeProvider.System);
        }

        var refused = Assert.Throws<ArgumentException>(
            () => Make(new EngineOptions { EnableChunkedPrefill = false, MaxNumBatchedTokens = 100 }));
        Assert.Contains("100", refused.Message);
        Assert.ThrowsAny<ArgumentException>(() => Make(new EngineOptions { MaxNumSeqs = 0 }));
        Assert.ThrowsAny<ArgumentException>(() => Make(new EngineOptions { MaxNumBatchedTokens = 0 }));
        Assert.ThrowsAny<ArgumentException>(() => Make(new EngineOptions { MaxQueue = -1 }));
        Assert.ThrowsAny<ArgumentException>(() => Make(new EngineOptions { MaxLogprobs = -1 }));
    }
}
