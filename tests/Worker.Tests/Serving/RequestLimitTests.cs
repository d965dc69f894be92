using System.Net;
using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Grpc.Core;
using Grpc.Health.V1;
using FinishReason = Cluster.Worker.Engine.FinishReason;

namespace Cluster.Worker.Tests.Serving;

/// <summary>A full queue, requests too large, requests too long.</summary>
public sealed class RequestLimitTests
{
    private const string Completions = "/v1/completions";

    [Fact]
    public async Task A_full_queue_tells_the_caller_to_come_back()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Failure = new QueueFullException("the queue is full") });

        using var response = await server.Client.PostAsync(Completions, HttpTestServer.Json("""{"prompt": "x", "stream": true}"""));

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), response.Headers.RetryAfter?.Delta);
        Assert.Contains("queue_full", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_queue_is_resource_exhausted_over_grpc()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Failure = new QueueFullException("the queue is full") });

        Assert.Equal(
            (StatusCode.ResourceExhausted, "the queue is full"),
            await server.Text.GenerateAsync(new GenerateRequest { Prompt = "hi" }).FailAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_over_the_limit_is_a_413_and_the_next_request_is_served(bool chunked)
    {
        await using var server = await HttpTestServer.StartAsync(configure: options => options with { MaxRequestBytes = 1000 });
        using var large = new HttpRequestMessage(HttpMethod.Post, Completions)
        {
            Content = HttpTestServer.Json($$"""{"prompt": "{{new string('x', 2000)}}"}""")
        };
        large.Headers.TransferEncodingChunked = chunked;

        using var response = await server.Client.SendAsync(large);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Contains("1000 bytes", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(200, (await server.PostAsync(Completions, """{"prompt": "x"}""")).Status);
    }

    [Fact]
    public async Task The_same_limit_holds_for_grpc_messages()
    {
        await using var server = await HttpTestServer.StartAsync(configure: options => options with { MaxRequestBytes = 1000 });
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);

        var (status, _) = await new TextGeneration.TextGenerationClient(channel)
            .GenerateAsync(new GenerateRequest { Prompt = new string('x', 2000) }).FailAsync();

        Assert.Equal(StatusCode.ResourceExhausted, status);
    }

    [Theory]
    [InlineData(null, 20)]
    [InlineData("7.5", 7.5)]
    [InlineData("3600", 20)]
    public async Task A_request_that_is_late_is_a_504_and_leaves_the_engine(string? asked, double seconds)
    {
        var time = new ManualTime();
        var held = new TaskCompletionSource();
        var engine = new FakeEngine { BeforeOutput = HoldAfter(2, held, requests: 2) };
        await using var server = await HttpTestServer.StartAsync(
            engine, configure: options => options with { RequestTimeout = TimeSpan.FromSeconds(20) }, time: time);
        server.Client.DefaultRequestHeaders.TryAddWithoutValidation("X-Request-Timeout", asked);

        var answer = server.PostAsync(Completions, """{"prompt": ["hello", "hallo"]}""");
        await held.Task;
        time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromTicks(1));
        Assert.Equal(2, engine.Statistics.Running);
        time.Advance(TimeSpan.FromTicks(1));

        var (status, body) = await answer;
        Assert.Equal((504, "deadline_exceeded"), (status, (string?)body["error"]!["code"]));
        foreach (var request in engine.Requests)
        {
            Assert.NotEqual(FinishReason.Stop, await engine.EndingOf(request.RequestId));
        }
    }

    [Fact]
    public async Task A_stream_that_is_late_ends_as_aborted()
    {
        var time = new ManualTime();
        var held = new TaskCompletionSource();
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(2, held) }, time: time);
        server.Client.DefaultRequestHeaders.Add("X-Request-Timeout", "5");

        var streaming = server.StreamAsync(Completions, """{"prompt": "hello", "stream": true}""");
        await held.Task;
        time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal("abort", (string?)(await streaming)[^1]["choices"]![0]!["finish_reason"]);
    }

    [Fact]
    public async Task The_servers_limit_ends_a_grpc_call_but_no_health_watch()
    {
        var time = new ManualTime();
        var held = new TaskCompletionSource();
        await using var server = await HttpTestServer.StartAsync(
            new FakeEngine { BeforeOutput = HoldAfter(2, held) },
            configure: options => options with { RequestTimeout = TimeSpan.FromSeconds(20) }, time: time);
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);
        using var watch = new Health.HealthClient(channel).Watch(new HealthCheckRequest());
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));

        var calling = new TextGeneration.TextGenerationClient(channel).GenerateAsync(new GenerateRequest { Prompt = "hi" }).FailAsync();
        await held.Task;
        time.Advance(TimeSpan.FromSeconds(20));

        Assert.Equal(StatusCode.DeadlineExceeded, (await calling).Status);
        server.State.BeginDraining();
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("soon")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("1e3")]
    public async Task A_timeout_that_is_no_time_is_named(string timeout)
    {
        await using var server = await HttpTestServer.StartAsync();
        server.Client.DefaultRequestHeaders.TryAddWithoutValidation("X-Request-Timeout", timeout);

        var (status, body) = await server.PostAsync(Completions, """{"prompt": "x"}""");

        Assert.Equal(400, status);
        Assert.Contains(timeout, (string?)body["error"]!["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_timeout_beyond_any_timer_is_none()
    {
        await using var server = await HttpTestServer.StartAsync();
        server.Client.DefaultRequestHeaders.Add("X-Request-Timeout", "99999999999999999999");

        Assert.Equal(200, (await server.PostAsync(Completions, """{"prompt": "x"}""")).Status);
    }

    /// <summary>Holds requests after some tokens.</summary>
    /// <param name="held">Completes when this many requests are held.</param>
    private static Func<int, CancellationToken, Task> HoldAfter(int tokens, TaskCompletionSource held, int requests = 1) => (made, token) =>
    {
        if (made < tokens)
        {
            return Task.CompletedTask;
        }

        if (Interlocked.Decrement(ref requests) == 0)
        {
            held.TrySetResult();
        }

        return Task.Delay(Timeout.Infinite, token);
    };
}
