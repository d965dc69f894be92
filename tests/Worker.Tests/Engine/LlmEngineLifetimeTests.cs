using Cluster.Worker.Engine;
using static Cluster.Worker.Tests.Engine.TestEngines;

namespace Cluster.Worker.Tests.Engine;

/// <summary>How requests and the engine end before their time: cancelled, aborted, refused, failed, drained.</summary>
public class LlmEngineLifetimeTests
{
    [Fact(Timeout = 30_000)]
    public async Task Cancelling_frees_the_blocks_before_the_next_step()
    {
        await using var engine = NewEngine(EndlessRunner());
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
        await using var engine = NewEngine(EndlessRunner());
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
        await using var engine = NewEngine(Runner());

        Assert.ThrowsAny<OperationCanceledException>(() => engine.GenerateAsync(Request(Greedy), new CancellationToken(true)));
        Assert.Equal((0, 0), (engine.Statistics.Running, engine.Statistics.Waiting));
    }

    [Fact(Timeout = 30_000)]
    public async Task Abort_ends_a_request_with_its_reason_and_knows_which_ones_run()
    {
        await using var engine = NewEngine(EndlessRunner());
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
        await using var engine = NewEngine(EndlessRunner());
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
        await using var engine = NewEngine(runner, new EngineOptions { MaxNumSeqs = 1, MaxQueue = 2 });
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
        await using var engine = NewEngine(runner);
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
        await using var engine = NewEngine(runner, new EngineOptions { MaxNumSeqs = 2 });
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
        await using var engine = NewEngine(runner);
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
        var time = new ManualTime();
        await using var engine = new LlmEngine(
            EndlessRunner(), new ByteTokenizer(), new EngineOptions { MaxNumSeqs = 1 }, time);
        Task<Generation>[] running = [RunAsync(engine, Endless), RunAsync(engine, Endless)];

        var drained = engine.DrainAsync(TimeSpan.FromSeconds(45));
        await time.TimerSetAsync();
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
        var engine = NewEngine(runner);
        var running = RunAsync(engine, Endless);

        await engine.DisposeAsync();

        Assert.Equal(FinishReason.Abort, (await running).Last.FinishReason);
        Assert.True(runner.IsDisposed);
        Assert.Throws<EngineUnavailableException>(() => engine.GenerateAsync(Request(Greedy), CancellationToken.None));
    }

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
}
