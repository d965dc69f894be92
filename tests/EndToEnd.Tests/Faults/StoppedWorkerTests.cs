using System.Net;
using System.Net.Http.Json;
using Cluster.EndToEnd.Tests.Load;
using Cluster.EndToEnd.Tests.Support;
using Cluster.EndToEnd.Tests.TensorParallel;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Grpc.Core;

namespace Cluster.EndToEnd.Tests.Faults;

/// <summary>SIGSTOP and SIGCONT with requests in flight, as a debugger, a frozen cgroup or a machine that sleeps do it.</summary>
[Collection(LoadCollection.Name), Trait(Category.Name, Category.Long)]
public sealed class StoppedWorkerTests
{
    private const int SigContinue = 18;
    private const int SigStop = 19;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_stopped_worker_answers_nothing_and_once_continued_every_stream_goes_on_to_the_same_end()
    {
        await using var worker = await WorkerProcess.StartAsync();
        var (visits, alone) = await PlanAsync(worker, 6);
        using var http = new HttpClient { BaseAddress = worker.Http };
        using var hasty = new HttpClient { BaseAddress = worker.Http, Timeout = 2 * Deadline };
        using var channel = GrpcClients.Open(worker.Grpc);
        var endless = visits[0].Request with { MaxTokens = 1700 };
        var running = Task.WhenAll(visits.Select(visit => visit.RunAsync(0, Task.CompletedTask, Task.CompletedTask)));
        await Task.WhenAll(visits.Select(visit => visit.Begun));
        using var limited = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = JsonContent.Create(new { prompt = endless.Prompt, max_tokens = 1700, ignore_eos = true }),
            Headers = { { "X-Request-Timeout", $"{Deadline.TotalSeconds}" } },
        };
        var late = http.SendAsync(limited);
        using var call = new TextGeneration.TextGenerationClient(channel)
            .GenerateStream(endless.ToGrpc(), deadline: DateTime.UtcNow + Deadline);
        Assert.True(await Eventually.IsTrueAsync(async () => await worker.MetricAsync("vllm:num_requests_running") >= 2));

        worker.Stop();

        // Twice as long as the deadlines: nothing comes, and above all nothing wrong.
        await Assert.ThrowsAsync<TaskCanceledException>(() => hasty.GetAsync("/health"));
        Assert.Equal(StatusCode.DeadlineExceeded, (await call.FailAtEndAsync()).Status);
        Assert.False(late.IsCompleted);
        Assert.False(running.IsCompleted);

        worker.Continue();

        using var answer = await late;
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        await running;
        Assert.All(visits, visit => visit.Reply.AssertSameAs(alone[visit.Request]));
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/ready")).StatusCode);
        Assert.True(await Eventually.IsTrueAsync(worker.IsIdleAsync));
        Assert.DoesNotContain(" fail: ", worker.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rank_that_was_stopped_for_less_than_the_timeout_costs_time_and_nothing_else()
    {
        await using var ranked = await RankedWorker.StartAsync(2);
        var (visits, alone) = await PlanAsync(ranked.Worker, 4);
        using var hasty = new HttpClient { BaseAddress = ranked.Worker.Http, Timeout = Deadline };
        var running = Task.WhenAll(visits.Select(visit => visit.RunAsync(0, Task.CompletedTask, Task.CompletedTask)));
        await Task.WhenAll(visits.Select(visit => visit.Begun));

        _ = LocalOperator.Kill(ranked.Ranks[0], SigStop);

        // Rank 0 goes on answering whatever needs no step.
        Assert.Equal(HttpStatusCode.OK, (await hasty.GetAsync("/health")).StatusCode);
        await Assert.ThrowsAsync<TaskCanceledException>(() => hasty.PostAsJsonAsync("/v1/completions", visits[0].Request.ToHttp()));
        Assert.False(running.IsCompleted);
        _ = LocalOperator.Kill(ranked.Ranks[0], SigContinue);

        await running;
        Assert.All(visits, visit => visit.Reply.AssertSameAs(alone[visit.Request]));
    }

    [Fact]
    public async Task When_rank_0_was_stopped_for_longer_than_the_timeout_clients_learn_why_and_nothing_is_left()
    {
        await using var ranked = await RankedWorker.StartAsync(2, "--distributed-timeout", "1");
        using var channel = GrpcClients.Open(ranked.Worker.Grpc);
        using var call = new TextGeneration.TextGenerationClient(channel)
            .GenerateStream(LoadRequest.Draw(new Random(1), maxTokens: 1800, logprobs: 0).ToGrpc());
        Assert.True(await Eventually.IsTrueAsync(async () => await ranked.Worker.MetricAsync("vllm:num_requests_running") == 1));

        ranked.Worker.Stop();
        Assert.True(await Eventually.IsTrueAsync(() => !ranked.Ranks.Any(RankedWorker.IsRunning)), "rank 1 waits for ever");
        ranked.Worker.Continue();

        var (status, message) = await call.FailAtEndAsync();
        Assert.Equal(StatusCode.Unavailable, status);
        Assert.Contains("rank 1", message, StringComparison.Ordinal);
        Assert.Equal(1, await ranked.Worker.ExitAsync());
        await ranked.AssertNothingIsLeftAsync();
    }

    /// <summary>Long requests over both APIs in turn, and what each gives alone.</summary>
    private static async Task<(Visit[] Visits, Dictionary<LoadRequest, Reply> Alone)> PlanAsync(WorkerProcess worker, int count)
    {
        var random = new Random(11);
        LoadRequest[] requests = [.. Enumerable.Range(0, count).Select(_ => LoadRequest.Draw(random, maxTokens: 900, logprobs: 1))];
        return (
            [.. requests.Select((request, i) => new Visit(worker, (Api)(i % 2), request, Conduct.ReadsToTheEnd))],
            await LoadTests.AloneAsync(worker, requests));
    }
}
