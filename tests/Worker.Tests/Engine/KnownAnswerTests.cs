using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Engine;

/// <summary>The engine asks its model for a known answer at start and whenever it has nothing else to do for an interval, and disturbs
/// nobody by it.</summary>
public sealed class KnownAnswerTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    private readonly ManualTime _time = new();

    [Fact]
    public async Task Asks_before_the_first_request_and_once_an_interval()
    {
        var runner = TestEngines.Runner();
        await using var engine = New(runner);

        Assert.Matches("^[0-9a-f]{16}$", await engine.KnownAnswer);
        Assert.Equal(new KnownAnswerStatistics(1, 0), engine.Statistics.KnownAnswers);
        for (var asked = 2; asked < 5; asked++)
        {
            _time.Advance(Interval);
            await UntilAskedAsync(engine, asked);
        }

        Assert.False(engine.WrongResults.IsCompleted);
        Assert.Equal(0, engine.Statistics.KvCacheUsage);
        Assert.Equal(TimeSpan.Zero, engine.Silence);
    }

    [Fact]
    public async Task Without_an_interval_nothing_is_asked()
    {
        var runner = TestEngines.Runner();
        await using var engine = New(runner, new EngineOptions());

        Assert.Null(await engine.KnownAnswer);
        Assert.Null(engine.Statistics.KnownAnswers);
        Assert.Equal(0, runner.Steps);
        Assert.Equal(0, _time.PendingTimers);
    }

    [Fact]
    public async Task Two_engines_of_one_model_know_the_same_answer_and_of_another_model_another()
    {
        await using var one = New(TestEngines.Runner());
        await using var same = New(TestEngines.Runner(maxModelLength: 100, numBlocks: 50));
        await using var other = New(new FakeModelRunner(TestEngines.Vocab + 1, 4, 50, 100));

        Assert.Equal(await one.KnownAnswer, await same.KnownAnswer);
        Assert.NotEqual(await one.KnownAnswer, await other.KnownAnswer);
    }

    [Fact]
    public async Task One_bit_of_one_logit_is_told_and_new_requests_are_refused_while_running_ones_end()
    {
        var wrong = false;
        var runner = TestEngines.Runner();
        runner.OnLogits = (_, row) => row[17] = wrong ? MathF.BitIncrement(row[17]) : row[17];
        await using var engine = New(runner);
        await engine.KnownAnswer;
        Assert.Equal(10, (await TestEngines.RunAsync(engine, TestEngines.Greedy)).TokenIds.Length);

        Volatile.Write(ref wrong, true);
        _time.Advance(Interval);
        var deviation = await engine.WrongResults;

        Assert.Contains(await engine.KnownAnswer ?? "none", deviation, StringComparison.Ordinal);
        await UntilAskedAsync(engine, 2);
        Assert.Equal(new KnownAnswerStatistics(1, 1), engine.Statistics.KnownAnswers);
        var refused = await Assert.ThrowsAsync<EngineUnavailableException>(() => TestEngines.RunAsync(engine, TestEngines.Greedy));
        Assert.Contains("computes wrong results", refused.Message, StringComparison.Ordinal);

        // What was wrong once is not trusted again, even if it comes right.
        Volatile.Write(ref wrong, false);
        _time.Advance(Interval);
        await UntilAskedAsync(engine, 3);
        await Assert.ThrowsAsync<EngineUnavailableException>(() => TestEngines.RunAsync(engine, TestEngines.Greedy));
    }

    [Fact]
    public async Task The_prefix_cache_and_its_numbers_are_left_alone()
    {
        var runner = TestEngines.Runner();
        await using var engine = New(runner);
        int[] prompt = [.. Enumerable.Range(1, 21)];
        await TestEngines.RunAsync(engine, TestEngines.Greedy, prompt);
        var before = engine.Statistics;

        _time.Advance(Interval);
        await UntilAskedAsync(engine, 2);

        Assert.Equal(before with { KnownAnswers = null }, engine.Statistics with { KnownAnswers = null });
        await TestEngines.RunAsync(engine, TestEngines.Greedy, prompt);
        Assert.Equal(before.PrefixCacheHits + 20, engine.Statistics.PrefixCacheHits);
    }

    [Fact]
    public async Task An_engine_that_is_never_idle_is_asked_between_two_steps_after_a_second_interval()
    {
        var runner = TestEngines.EndlessRunner();
        var steps = 0;
        runner.OnLaunch = _ =>
        {
            // The request runs from the third launch on.
            if (++steps is 20 or 40 or 60)
            {
                _time.Advance(Interval);
            }
        };
        await using var engine = New(runner);
        var output = await TestEngines.RunAsync(engine, TestEngines.Greedy with { MaxTokens = 50 });

        Assert.Equal(Generation.Greedy(TestEngines.Vocab, TestEngines.Prompt, 50), output.TokenIds);
        Assert.Equal(2, engine.Statistics.KnownAnswers!.Value.Agreed);
        await UntilAskedAsync(engine, 2);
    }

    [Fact]
    public async Task A_full_cache_is_waited_for()
    {
        // One request fills all blocks; the timer rings twice meanwhile.
        var runner = TestEngines.Runner(maxModelLength: 40, numBlocks: 10);
        var steps = 0;
        runner.OnLaunch = batch =>
        {
            if (batch.MaxContextLength >= 37 && steps++ < 2)
            {
                _time.Advance(Interval);
            }
        };
        await using var engine = New(runner, Options with { EnablePrefixCaching = false });
        await engine.KnownAnswer;
        var output = await TestEngines.RunAsync(engine, TestEngines.Greedy with { MaxTokens = 35 });

        Assert.Equal(Generation.Greedy(TestEngines.Vocab, TestEngines.Prompt, 35), output.TokenIds);
        await UntilAskedAsync(engine, 2);
        Assert.Equal(0, engine.Statistics.Preemptions);
    }

    [Theory]
    [InlineData(1, 1, 1, 1, 1)]
    [InlineData(2, 1, 5, 1, 3)]
    [InlineData(3, 7, 2, 1, 64)]
    [InlineData(50_257, 16, 1, 3, 100)]
    [InlineData(64, 48, 4, 256, 4096)]
    public async Task Any_model_can_be_asked(int vocabSize, int blockSize, int numBlocks, int maxLogits, int maxBatchedTokens)
    {
        var sequences = Math.Min(maxLogits, maxBatchedTokens);
        var runner = new FakeModelRunner(
            vocabSize, blockSize, numBlocks, blockSize * numBlocks, maxBatchedTokens, sequences, maxLogits);
        await using var engine = New(runner, Options with { MaxNumSeqs = sequences });

        Assert.NotNull(await engine.KnownAnswer);
        _time.Advance(Interval);
        await UntilAskedAsync(engine, 2);
    }

    [Fact]
    public async Task Every_group_of_layers_gets_a_block()
    {
        var groups = new KvGroups([new KvReach(0, 0), new KvReach(6, 0), new KvReach(6, 0)]);
        var runner = new FakeModelRunner(64, 4, 30, 60, groups: groups);
        await using var engine = New(runner);

        Assert.NotNull(await engine.KnownAnswer);
        Assert.Equal(3, groups.Count);
        Assert.Equal(0, engine.Statistics.KvCacheUsage);
    }

    private static EngineOptions Options => new() { ProbeInterval = Interval };

    private LlmEngine New(FakeModelRunner runner, EngineOptions? options = null) =>
        new(runner, new ByteTokenizer(), options ?? Options, _time);

    private static Task UntilAskedAsync(LlmEngine engine, long times) => Eventually.True(
        () => engine.Statistics.KnownAnswers is { } answers && answers.Agreed + answers.Deviated == times, $"{times} answers");
}
