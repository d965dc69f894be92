using System.Net;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving.Limits;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Grpc.Core;

namespace Cluster.Worker.Tests.Serving.Limits;

/// <summary>The bodies of all requests share a budget: what does not fit is told to come back, and nothing stays taken.</summary>
public sealed class BodyBudgetTests
{
    private const string Completions = "/v1/completions";
    private const int Budget = 300_000;

    private static readonly string Large = $$"""{"max_tokens": 1, "prompt": "{{new string('x', 2_000)}}"{{new string(' ', 200_000)}}}""";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_second_large_body_is_told_to_come_back_while_small_ones_are_served(bool chunked)
    {
        var held = new TaskCompletionSource();
        var entered = new TaskCompletionSource();
        var first = true;
        var engine = new FakeEngine
        {
            BeforeReply = _ =>
            {
                entered.TrySetResult();
                return Interlocked.Exchange(ref first, false) ? held.Task : Task.CompletedTask;
            }
        };
        await using var server = await StartAsync(engine);
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);
        var holding = SendAsync(server, Large, chunked);
        await entered.Task;

        Assert.Equal((HttpStatusCode.TooManyRequests, true), await SendAsync(server, Large, chunked));
        Assert.Equal(
            StatusCode.ResourceExhausted,
            (await new TextGeneration.TextGenerationClient(channel)
                .GenerateAsync(new GenerateRequest { Prompt = new string('x', 250_000) }).FailAsync()).Status);
        Assert.Equal((HttpStatusCode.OK, false), await SendAsync(server, """{"max_tokens": 1, "prompt": "x"}""", chunked));

        held.SetResult();
        Assert.Equal((HttpStatusCode.OK, false), await holding);
        Assert.Equal((HttpStatusCode.OK, false), await SendAsync(server, Large, chunked));
    }

    [Fact]
    public async Task Bodies_that_fail_leave_nothing_taken()
    {
        await using var server = await StartAsync(new FakeEngine());
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal((HttpStatusCode.BadRequest, false), await SendAsync(server, $"{{{new string(' ', 200_000)}", chunked: i % 2 == 0));
        }

        Assert.Equal((HttpStatusCode.OK, false), await SendAsync(server, Large, chunked: false));
    }

    [Fact]
    public async Task Only_what_is_read_beyond_the_free_bytes_is_charged()
    {
        using var scratch = new LargeBodyMemory(TimeProvider.System, () => { });
        var budget = new BodyBudget(1_000, scratch);
        var body = new ChargedBody(new MemoryStream(new byte[BodyBudget.FreeBytes + 2_000]), budget);
        var buffer = new byte[BodyBudget.FreeBytes];
        await body.ReadExactlyAsync(buffer, CancellationToken.None);
        Assert.Equal(0, budget.Taken);

        await body.ReadExactlyAsync(buffer.AsMemory(0, 900), CancellationToken.None);
        Assert.Equal(900, budget.Taken);
        await Assert.ThrowsAsync<BodyBudgetException>(
            async () => await body.ReadExactlyAsync(buffer.AsMemory(0, 200), CancellationToken.None));
        Assert.Equal(900, budget.Taken);

        await body.DisposeAsync();
        await body.DisposeAsync();
        Assert.Equal(0, budget.Taken);
    }

    private static Task<HttpTestServer> StartAsync(FakeEngine engine) => HttpTestServer.StartAsync(
        engine, configure: options => options with { MaxRequestBytes = Budget, MaxInflightRequestBytes = Budget - BodyBudget.FreeBytes });

    /// <summary>The status, and whether the answer says when to come back.</summary>
    private static async Task<(HttpStatusCode Status, bool ComesBack)> SendAsync(HttpTestServer server, string body, bool chunked)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Completions) { Content = HttpTestServer.Json(body) };
        request.Headers.TransferEncodingChunked = chunked;
        using var response = await server.Client.SendAsync(request);
        return (response.StatusCode, response.Headers.RetryAfter is not null);
    }
}
