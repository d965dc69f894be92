using System.Net;
using System.Net.Http.Json;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Grpc.Core;

namespace Cluster.EndToEnd.Tests.Load;

/// <summary>SIGTERM while requests run and wait.</summary>
[Collection(LoadCollection.Name), Trait(Category.Name, Category.Long)]
public sealed class ShutdownTests
{
    [Fact]
    public async Task Requests_accepted_before_SIGTERM_are_answered_whole_and_later_ones_refused()
    {
        const int Running = 16;
        var random = new Random(2);
        var requests = Enumerable.Range(0, 4 * Running).Select(_ => LoadRequest.Draw(random, maxTokens: 300, logprobs: 0)).ToArray();
        await using var worker = await WorkerProcess.StartAsync("--max-num-seqs", $"{Running}", "--shutdown-timeout", "100");
        var alone = await LoadTests.AloneAsync(worker, requests[..8]);
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var visits = requests.Select(
            (request, i) => new Visit(worker, (Api)(i % 2), request, i % 8 == 0 ? Conduct.Stalls : Conduct.ReadsToTheEnd)).ToArray();
        var running = Task.WhenAll(visits.Select(visit => visit.RunAsync(0, Task.CompletedTask, released.Task)));
        Assert.True(
            await Eventually.IsTrueAsync(
                async () =>
                    await worker.MetricAsync("vllm:num_requests_running") == Running && visits.Any(visit => visit.Begun.IsCompleted)));
        Assert.True(await Eventually.IsTrueAsync(async () =>
            await worker.MetricAsync("vllm:num_requests_running") + await worker.MetricAsync("vllm:num_requests_waiting")
                + visits.Count(visit => visit.Reply.FinishReason is not null) >= requests.Length));

        worker.Terminate();

        using var http = new HttpClient { BaseAddress = worker.Http };
        Assert.True(
            await Eventually.IsTrueAsync(async () => (await http.GetAsync("/ready")).StatusCode == HttpStatusCode.ServiceUnavailable));
        using var refused = await http.PostAsJsonAsync("/v1/completions", requests[0].ToHttp());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Contains("shutting down", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var channel = GrpcClients.Open(worker.Grpc);
        var grpc = new TextGeneration.TextGenerationClient(channel);
        Assert.Equal(StatusCode.Unavailable, (await grpc.GenerateStream(requests[0].ToGrpc()).FailAsync()).Status);
        Assert.True((await http.GetAsync("/health")).IsSuccessStatusCode);
        Assert.False(running.IsCompleted);

        // Readers that are slower than the model still get the rest, when the ports are closed already.
        Assert.True(await Eventually.IsTrueAsync(async () => !await worker.AcceptsConnectionsAsync()));
        released.SetResult();
        await running;

        Assert.Equal(0, await worker.ExitAsync());
        Assert.All(visits, visit => Assert.Equal("length", visit.Reply.FinishReason));
        Assert.All(visits, visit => Assert.Equal(300, visit.Reply.Logprobs.Count));
        Assert.All(visits.Where(visit => alone.ContainsKey(visit.Request)), visit => visit.Reply.AssertSameAs(alone[visit.Request]));
        Assert.DoesNotContain(" fail: ", worker.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Requests_that_outlast_the_grace_time_end_with_the_reason_and_the_worker_exits_cleanly()
    {
        var random = new Random(3);
        await using var worker = await WorkerProcess.StartAsync("--shutdown-timeout", "0.1");
        using var http = new HttpClient { BaseAddress = worker.Http };
        using var channel = GrpcClients.Open(worker.Grpc);
        var grpc = new TextGeneration.TextGenerationClient(channel);
        var requests = Enumerable.Range(0, 48).Select(_ => LoadRequest.Draw(random, maxTokens: 1800, logprobs: 0)).ToArray();
        var streams = requests[..32].Select((request, i) => new Visit(worker, Api.Http, request, Conduct.ReadsToTheEnd)).ToArray();
        var running = Task.WhenAll(streams.Select(visit => visit.RunAsync(0, Task.CompletedTask, Task.CompletedTask)));
        var whole = http.PostAsJsonAsync("/v1/completions", new { prompt = requests[32].Prompt, max_tokens = 1800, ignore_eos = true });
        using var call = grpc.GenerateStream(requests[33].ToGrpc());
        Assert.True(await Eventually.IsTrueAsync(async () => await worker.MetricAsync("vllm:num_requests_running") == 34));

        worker.Terminate();

        Assert.Equal(0, await worker.ExitAsync());
        await running;
        Assert.All(streams, visit => Assert.Equal("abort", visit.Reply.FinishReason));
        using var answer = await whole;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("shut down", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(StatusCode.Unavailable, (await call.FailAtEndAsync()).Status);
    }
}
