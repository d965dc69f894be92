using System.Threading.Channels;
using Cluster.Common.Benchmarking;

namespace Cluster.Worker.Tests.Benchmarking;

public sealed class ServeRunTests
{
    private static readonly BenchmarkPrompt[] Prompts = [
        .. Enumerable.Range(1, 5).Select(length => new BenchmarkPrompt(new int[length], 1))];

    [Fact]
    public async Task No_more_requests_are_under_way_than_allowed_and_results_keep_their_order()
    {
        var waiting = Channel.CreateUnbounded<TaskCompletionSource>();
        int running = 0, most = 0;
        var run = ServeRun.RunAsync(
            async (prompt, _) =>
            {
                most = Math.Max(most, Interlocked.Increment(ref running));
                var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                waiting.Writer.TryWrite(answer);
                await answer.Task;
                Interlocked.Decrement(ref running);
                return new RequestMeasurement { PromptTokens = prompt.TokenIds.Count };
            },
            Prompts,
            new double[Prompts.Length],
            maxConcurrency: 2,
            progress: null,
            TimeProvider.System,
            TestContext.Current.CancellationToken);
        for (var i = 0; i < Prompts.Length; i++)
        {
            (await waiting.Reader.ReadAsync(TestContext.Current.CancellationToken)).SetResult();
        }

        var (requests, _) = await run;
        Assert.InRange(most, 1, 2);
        Assert.Equal([1, 2, 3, 4, 5], requests.Select(request => request.PromptTokens));
    }

    [Fact]
    public async Task Requests_are_sent_at_their_times_and_the_duration_ends_with_the_last_answer()
    {
        var time = new ManualTime();
        var start = time.GetTimestamp();
        var sent = Channel.CreateUnbounded<double>();
        var reports = new List<ServeProgress>();
        var run = ServeRun.RunAsync(
            (_, _) =>
            {
                sent.Writer.TryWrite(time.GetElapsedTime(start).TotalSeconds);
                return Task.FromResult(new RequestMeasurement { Error = "no" });
            },
            Prompts[..3],
            [0, 1.5, 4],
            maxConcurrency: null,
            new Recorder(reports),
            time,
            TestContext.Current.CancellationToken);

        Assert.Equal(0, await sent.Reader.ReadAsync(TestContext.Current.CancellationToken));
        for (var wait = 0; wait < 2; wait++)
        {
            await Eventually.True(() => time.PendingTimers == 1, "the run waits for the next request's time");
            time.AdvanceToNextTimer();
        }

        var (requests, seconds) = await run;
        Assert.Equal(3, requests.Count);
        Assert.Equal(1.5, await sent.Reader.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal(4, await sent.Reader.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal(4, seconds);
        Assert.Equal(new ServeProgress(3, 3, 3), reports[^1]);
    }

    private sealed class Recorder(List<ServeProgress> reports) : IProgress<ServeProgress>
    {
        public void Report(ServeProgress value) => reports.Add(value);
    }
}
