using System.Net;
using Cluster.Worker.Protos.V1;
using Grpc.Core;
using FinishReason = Cluster.Worker.Engine.FinishReason;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>How calls end early or run slowly: deadlines, cancellation, readers that do not read.</summary>
public sealed class CallLifetimeTests
{
    private const string Generate = "/cluster.v1.TextGeneration/Generate";
    private const string GenerateStream = "/cluster.v1.TextGeneration/GenerateStream";

    [Fact]
    public async Task A_malformed_timeout_is_named()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-timeout", "soon"));

        Assert.Equal(StatusCode.Internal, call.Status.Code);
        Assert.Contains("'soon'", call.Status.Message);
    }

    [Theory]
    [InlineData("99999999H")]
    [InlineData("1H")]
    public async Task A_far_deadline_changes_nothing(string timeout)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-timeout", timeout));

        Assert.Single(await call.ReadFramesAsync());
        Assert.Equal(StatusCode.OK, call.Status.Code);
    }

    [Fact]
    public async Task A_deadline_that_has_passed_already_never_reaches_the_engine()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Raw.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-timeout", "0n"));

        Assert.Equal(StatusCode.DeadlineExceeded, call.Status.Code);
        Assert.Empty(server.Engine.Requests);
    }

    [Fact]
    public async Task A_deadline_ends_a_running_stream_and_frees_the_engine()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(3) });

        using var call = await server.Raw.SendAsync(
            GenerateStream,
            new GenerateRequest { RequestId = "late", Prompt = "hi" },
            With("grpc-timeout", "5S"));
        await using var messages = call.MessagesAsync<GenerateStreamResponse>().GetAsyncEnumerator();
        for (var i = 0; i < 3; i++)
        {
            Assert.True(await messages.MoveNextAsync());
        }

        server.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.False(await messages.MoveNextAsync());
        Assert.Equal(StatusCode.DeadlineExceeded, call.Status.Code);
        Assert.Null(await server.Engine.EndingOf("late"));
    }

    [Fact]
    public async Task A_deadline_ends_a_call_whose_request_never_comes_whole()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var half = new HalfRequest();

        var calling = server.Raw.SendAsync(Generate, half, With("grpc-timeout", "5S"));
        await half.Sent;

        // Nothing tells when the server has begun to read.
        while (await Task.WhenAny(calling, Task.Delay(10)) != calling)
        {
            server.Time.Advance(TimeSpan.FromSeconds(5));
        }

        using var call = await calling;
        Assert.Equal((StatusCode.DeadlineExceeded, "the call's deadline passed"), call.Status);
        Assert.Empty(server.Engine.Requests);
        Assert.Empty(server.Log.Errors);
    }

    [Fact]
    public async Task A_clients_own_deadline_ends_the_request_in_the_engine()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(1) });

        using var call = server.Text.GenerateStream(
            new GenerateRequest { RequestId = "late", Prompt = "hi" }, deadline: DateTime.UtcNow.AddSeconds(2));
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));

        Assert.Equal(StatusCode.DeadlineExceeded, (await call.ResponseStream.FailNextAsync()).Status);
        Assert.Null(await server.Engine.EndingOf("late"));
    }

    [Fact]
    public async Task A_client_that_cancels_ends_the_request_in_the_engine()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(1) });
        using var cancel = new CancellationTokenSource();

        using var call = server.Text.GenerateStream(
            new GenerateRequest { RequestId = "gone", Prompt = "hi" }, cancellationToken: cancel.Token);
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        await cancel.CancelAsync();
        Assert.Equal(StatusCode.Cancelled, (await call.ResponseStream.FailNextAsync()).Status);

        Assert.Null(await server.Engine.EndingOf("gone"));
        Assert.Empty(server.Log.Errors);
    }

    [Fact]
    public async Task A_client_that_disappears_before_the_answer_ends_the_request_in_the_engine()
    {
        var reached = new TaskCompletionSource();
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine
        {
            BeforeOutput = (_, token) =>
            {
                reached.TrySetResult();
                return Task.Delay(Timeout.Infinite, token);
            },
        });
        var channel = GrpcClients.Open(server.Address);

        var calling = new TextGeneration.TextGenerationClient(channel)
            .GenerateAsync(new GenerateRequest { RequestId = "gone", Prompt = "hi" });
        await reached.Task;
        channel.Dispose();

        await Assert.ThrowsAnyAsync<Exception>(() => calling.ResponseAsync);
        Assert.Null(await server.Engine.EndingOf("gone"));
    }

    [Fact]
    public async Task What_a_client_does_not_read_in_time_comes_in_fewer_messages_and_whole()
    {
        const int Tokens = 20_000;
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { RunsAhead = true });
        var request = new GenerateRequest
        {
            RequestId = "slow",
            Prompt = "hi",
            Sampling = new SamplingParams { MaxTokens = Tokens, IgnoreEos = true }
        };

        using var unread = server.Text.GenerateStream(request);

        // The engine is not held back; the messages that fit are the client's window of 64 KiB and Kestrel's buffer.
        Assert.Equal(FinishReason.Length, await server.Engine.EndingOf("slow").WaitAsync(TimeSpan.FromMinutes(1)));
        var messages = await unread.ToListAsync();
        Assert.InRange(messages.Count, 2, Tokens / 2);
        Assert.Equal(Tokens, messages.Sum(message => message.TokenIds.Count));
        Assert.Equal(Tokens, messages.Sum(message => message.Text.Length));
        Assert.Equal(Tokens, (int)messages[^1].Usage.CompletionTokens);
    }

    [Fact]
    public async Task A_deadline_frees_the_engine_even_while_the_client_does_not_read()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine
        {
            // Far more than window and buffers hold, so that the call is stuck at writing.
            BeforeOutput = (made, stop) => made < 100_000 ? Task.CompletedTask : Task.Delay(Timeout.InfiniteTimeSpan, stop),
        });
        var endless = new SamplingParams { IgnoreEos = true };

        using var unread = await server.Raw.SendAsync(
            GenerateStream,
            new GenerateRequest { RequestId = "slow", Prompt = "hi", Sampling = endless },
            With("grpc-timeout", "5S"));
        server.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Null(await server.Engine.EndingOf("slow"));
    }

    [Fact]
    public async Task One_connection_carries_more_calls_than_a_batch_has_places()
    {
        const int Calls = 600;
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(1) });

        var running = Enumerable.Range(0, Calls).Select(_ => server.Text.GenerateStream(new GenerateRequest { Prompt = "hi" })).ToArray();

        Assert.All(await Task.WhenAll(running.Select(call => call.ResponseStream.MoveNext(CancellationToken.None))), Assert.True);
        Assert.Equal(Calls, server.Engine.Statistics.Running);
        Assert.All(running, call => call.Dispose());
    }

    [Fact]
    public async Task An_error_after_messages_comes_as_trailer()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(2) });

        using var call = server.Text.GenerateStream(new GenerateRequest { RequestId = "cut", Prompt = "hi" });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        server.State.BeginDraining();
        await server.Engine.DrainAsync(TimeSpan.Zero);

        Assert.Equal(
            (StatusCode.Unavailable, "the worker shut down before the request was finished"), await call.ResponseStream.FailNextAsync());
        Assert.Equal(FinishReason.Abort, await server.Engine.EndingOf("cut"));
    }

    private static Action<HttpRequestMessage> With(string header, string value) =>
        request => request.Headers.TryAddWithoutValidation(header, value);

    private static Func<int, CancellationToken, Task> HoldAfter(int tokens) =>
        (made, token) => made < tokens ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token);

    /// <summary>The first bytes of a message of which the rest never comes.</summary>
    private sealed class HalfRequest : HttpContent
    {
        private readonly TaskCompletionSource _sent = new();

        public Task Sent => _sent.Task;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.WriteAsync(new byte[] { 0, 0, 0, 0, 9, 1 }, cancellationToken);
            await stream.FlushAsync(cancellationToken);
            _sent.SetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
