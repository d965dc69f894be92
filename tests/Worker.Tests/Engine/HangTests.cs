using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

/// <summary>How an engine whose thread got stuck is told from one that works for long, or has nothing to do.</summary>
public sealed class HangTests
{
    private readonly ManualTime _time = new();
    private long _progress;

    [Fact]
    public void Without_work_there_is_no_silence()
    {
        var clock = new StepClock(_time, () => _progress);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(TimeSpan.Zero, clock.Silence);

        clock.Begin();
        clock.Rest();
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(TimeSpan.Zero, clock.Silence);
    }

    [Fact]
    public void More_work_does_not_hide_that_none_is_done()
    {
        var clock = new StepClock(_time, () => _progress);
        clock.Begin();
        _time.Advance(TimeSpan.FromSeconds(40));
        clock.Begin();
        _time.Advance(TimeSpan.FromSeconds(40));
        Assert.Equal(TimeSpan.FromSeconds(80), clock.Silence);
    }

    [Fact]
    public void A_finished_step_and_a_part_of_a_long_one_are_signs_of_life()
    {
        var clock = new StepClock(_time, () => _progress);
        clock.Begin();
        _time.Advance(TimeSpan.FromSeconds(50));
        clock.Advance();
        _time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(TimeSpan.FromSeconds(50), clock.Silence);

        _progress++;
        Assert.Equal(TimeSpan.Zero, clock.Silence);
        _time.Advance(TimeSpan.FromSeconds(70));
        Assert.Equal(TimeSpan.FromSeconds(70), clock.Silence);
    }

    [Fact]
    public async Task A_step_that_does_not_return_is_silence_until_it_does()
    {
        using var hang = new ManualResetEventSlim();
        using var launched = new ManualResetEventSlim();
        var runner = new FakeModelRunner(64, 16, 16, 128)
        {
            OnLaunch = _ =>
            {
                launched.Set();
                hang.Wait();
            },
        };
        await using var engine = new LlmEngine(runner, new ByteTokenizer(), new EngineOptions(), _time);
        var request = new GenerationRequest("r", [1, 2, 3], new SamplingParameters { MaxTokens = 2, IgnoreEos = true });
        var outputs = engine.GenerateAsync(request, CancellationToken.None).GetAsyncEnumerator();
        var first = outputs.MoveNextAsync().AsTask();
        launched.Wait();
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(TimeSpan.FromSeconds(61), engine.Silence);

        hang.Set();
        while (await first)
        {
            first = outputs.MoveNextAsync().AsTask();
        }

        Assert.True(await Eventually.IsTrueAsync(() => Task.FromResult(engine.Silence == TimeSpan.Zero)));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(TimeSpan.Zero, engine.Silence);
    }
}
