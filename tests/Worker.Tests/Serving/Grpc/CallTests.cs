using System.Net;
using System.Net.Http.Headers;
using Cluster.Worker.Engine;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving.Grpc.Framing;
using Xunit;
using FinishReason = Cluster.Worker.Engine.FinishReason;

namespace Cluster.Worker.Tests.Serving.Grpc;

/// <summary>The protocol of a call, whatever the service.</summary>
public sealed class CallTests
{
    private const string Generate = "/cluster.v1.TextGeneration/Generate";
    private const string GenerateStream = "/cluster.v1.TextGeneration/GenerateStream";

    [Fact]
    public async Task An_answer_is_headers_a_message_and_the_status_as_trailer()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" });
        var frame = Assert.Single(await call.ReadFramesAsync());

        Assert.Equal(HttpStatusCode.OK, call.Response.StatusCode);
        Assert.Equal("application/grpc", call.Response.Content.Headers.ContentType?.ToString());
        Assert.Equal(0, frame.Flag);
        Assert.False(call.Response.Headers.Contains("grpc-status"));
        Assert.Equal("0", call.Response.TrailingHeaders.GetValues("grpc-status").Single());
    }

    [Fact]
    public async Task An_error_before_any_message_comes_as_trailers_only()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest());

        Assert.Empty(await call.ReadFramesAsync());
        Assert.True(call.Response.Headers.Contains("grpc-status"));
        Assert.Equal(StatusCode.InvalidArgument, call.Status.Code);
    }

    [Theory]
    [InlineData("/cluster.v1.TextGeneration/Paint")]
    [InlineData("/cluster.v1.Painting/Generate")]
    [InlineData("/CLUSTER.V1.TEXTGENERATION/GENERATE")]
    [InlineData("/")]
    [InlineData("/v1/completions")]
    public async Task A_call_to_an_unknown_method_is_unimplemented(string path)
    {
        await using var server = await GrpcTestServer.StartAsync();

        var (status, message) = await server.Client.FailAsync(path, new GenerateRequest());

        Assert.Equal(StatusCode.Unimplemented, status);
        Assert.Contains(path, message);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/grpc-web")]
    [InlineData("application/grpc+json")]
    [InlineData(null)]
    public async Task Another_content_type_gets_415(string? contentType)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(
            Generate,
            [],
            request => request.Content!.Headers.ContentType = contentType is null ? null : new MediaTypeHeaderValue(contentType));

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, call.Response.StatusCode);
    }

    [Fact]
    public async Task Another_verb_gets_405()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, [], request => request.Method = HttpMethod.Put);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, call.Response.StatusCode);
    }

    [Fact]
    public async Task HTTP_routes_live_beside_it_and_gRPC_over_HTTP_1_is_told_to_upgrade()
    {
        await using var server = await GrpcTestServer.StartAsync(http1: true);
        using var http = new HttpClient { BaseAddress = server.Address };

        Assert.Equal("alive", await http.GetStringAsync("/health"));
        Assert.Equal("text/plain", await (await http.PostAsync("/v1/completions", new StringContent("", new MediaTypeHeaderValue("text/plain")))).Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/nowhere")).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await http.GetAsync("/v1/completions")).StatusCode);

        using var upgrade = await http.PostAsync(Generate, new ByteArrayContent([]) { Headers = { ContentType = new("application/grpc") } });
        Assert.Equal(HttpStatusCode.UpgradeRequired, upgrade.StatusCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("deflate")]
    public async Task A_request_whose_te_header_was_lost_is_refused(string? te)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, request =>
        {
            request.Headers.Remove("te");
            if (te is not null)
            {
                request.Headers.TryAddWithoutValidation("te", te);
            }
        });

        Assert.Equal(StatusCode.Internal, call.Status.Code);
        Assert.Contains("te: trailers", call.Status.Message);
    }

    [Fact]
    public async Task A_malformed_timeout_is_named()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-timeout", "soon"));

        Assert.Equal(StatusCode.Internal, call.Status.Code);
        Assert.Contains("'soon'", call.Status.Message);
    }

    [Theory]
    [InlineData("99999999H")]
    [InlineData("1H")]
    public async Task A_far_deadline_changes_nothing(string timeout)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-timeout", timeout));

        Assert.Single(await call.ReadFramesAsync());
        Assert.Equal(StatusCode.Ok, call.Status.Code);
    }

    [Fact]
    public async Task A_deadline_that_has_passed_already_never_reaches_the_engine()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-timeout", "0n"));

        Assert.Equal(StatusCode.DeadlineExceeded, call.Status.Code);
        Assert.Empty(server.Engine.Requests);
    }

    [Fact]
    public async Task A_deadline_ends_a_running_stream_and_frees_the_engine()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(3) });

        using var call = await server.Client.SendAsync(
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
    public async Task A_client_that_cancels_ends_the_request_in_the_engine()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(1) });
        using var cancel = new CancellationTokenSource();

        using var call = await server.Client.SendAsync(GenerateStream, new GenerateRequest { RequestId = "gone", Prompt = "hi" });
        await using var frames = call.FramesAsync(cancel.Token).GetAsyncEnumerator(cancel.Token);
        Assert.True(await frames.MoveNextAsync());
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await frames.MoveNextAsync());
        call.Dispose();

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
        var client = new GrpcTestClient(server.Address);

        var sending = client.SendAsync(Generate, new GenerateRequest { RequestId = "gone", Prompt = "hi" });
        await reached.Task;
        client.Dispose();

        await Assert.ThrowsAnyAsync<Exception>(() => sending);
        Assert.Null(await server.Engine.EndingOf("gone"));
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_the_producer_back()
    {
        const int tokens = 20_000;
        await using var server = await GrpcTestServer.StartAsync();
        var request = new GenerateRequest { Prompt = "hi", Sampling = new SamplingParams { MaxTokens = tokens, IgnoreEos = true } };
        using var other = new GrpcTestClient(server.Address);

        using var unread = await server.Client.SendAsync(GenerateStream, request);
        await other.StreamAsync<GenerateStreamResponse>(GenerateStream, request);

        // The second call is through, so the first had its time; it must sit at its window of 64 KiB and Kestrel's buffer.
        Assert.InRange(server.Engine.Generated, tokens + 1, tokens + (tokens / 2));
        Assert.Equal(tokens, (await unread.ReadAllAsync<GenerateStreamResponse>()).Count);
        Assert.Equal(StatusCode.Ok, unread.Status.Code);
    }

    [Fact]
    public async Task A_deadline_frees_the_engine_even_while_the_client_does_not_read()
    {
        var stalled = new TaskCompletionSource();
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine
        {
            // Far more than window and buffers hold: a producer that got here would not have been held back.
            BeforeOutput = (made, _) => made < 100_000 ? Task.CompletedTask : stalled.Task,
        });
        var endless = new SamplingParams { IgnoreEos = true };

        using var unread = await server.Client.SendAsync(
            GenerateStream,
            new GenerateRequest { RequestId = "slow", Prompt = "hi", Sampling = endless },
            With("grpc-timeout", "5S"));
        server.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Null(await server.Engine.EndingOf("slow"));
        Assert.InRange(server.Engine.Generated, 1, 99_999);
    }

    [Fact]
    public async Task One_connection_carries_more_calls_than_a_batch_has_places()
    {
        const int calls = 600;
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(1) });

        var running = await Task.WhenAll(Enumerable.Range(0, calls).Select(_ => server.Client.SendAsync(GenerateStream, new GenerateRequest { Prompt = "hi" })));

        Assert.Equal(calls, server.Engine.Statistics.Running);
        Assert.All(running, call => call.Dispose());
    }

    [Fact]
    public async Task Any_bytes_get_a_status_and_leave_the_server_alive()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "ok" });
        var random = new Random(3);
        string[] paths = [Generate, GenerateStream, "/vllm.grpc.engine.VllmEngine/Generate", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"];
        StatusCode[] possible = [StatusCode.Ok, StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.Unimplemented, StatusCode.Internal, StatusCode.ResourceExhausted];
        for (var round = 0; round < 300; round++)
        {
            var noise = new byte[random.Next(60)];
            random.NextBytes(noise);
            var body = random.Next(3) == 0 ? noise : GrpcTestClient.Frame(noise, flag: (byte)random.Next(2));

            using var call = await server.Client.SendAsync(paths[round % paths.Length], body, random.Next(2) == 0 ? With("grpc-encoding", "gzip") : null);
            await call.ReadFramesAsync();

            Assert.Contains(call.Status.Code, possible);
        }

        Assert.Empty(server.Log.Errors);
        await server.Client.CallAsync<GenerateResponse>(Generate, new GenerateRequest { Prompt = "hi" });
    }

    [Fact]
    public async Task A_message_over_the_limit_is_refused_and_one_at_the_limit_is_not()
    {
        var fitting = new GenerateRequest { Prompt = new string('x', 900) };
        await using var server = await GrpcTestServer.StartAsync(options: new GrpcOptions { MaxReceiveMessageBytes = fitting.CalculateSize() });

        await server.Client.CallAsync<GenerateResponse>(Generate, fitting);
        var (status, message) = await server.Client.FailAsync(Generate, new GenerateRequest { Prompt = fitting.Prompt + "x" });

        Assert.Equal(StatusCode.ResourceExhausted, status);
        Assert.Contains($"{fitting.CalculateSize()}", message);
    }

    [Fact]
    public async Task The_default_limit_is_4_MiB()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { MaxModelLength = 100_000_000 });
        const int limit = 4 * 1024 * 1024;

        var (refused, _) = await server.Client.FailAsync(Generate, new GenerateRequest { Prompt = new string('x', limit) });
        var detokenized = await server.Client.CallAsync<DetokenizeResponse>(
            "/cluster.v1.TextGeneration/Detokenize",
            new DetokenizeRequest { TokenIds = { Enumerable.Repeat((uint)FakeTokenizer.IdOf((byte)'x'), limit - 100) } });

        Assert.Equal(StatusCode.ResourceExhausted, refused);
        Assert.Equal(limit - 100, detokenized.Text.Length);
    }

    [Fact]
    public async Task Gzip_works_both_ways()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var request = new GenerateRequest { Prompt = new string('x', 3000) };
        using var packed = MessageEncoding.Compress(Google.Protobuf.MessageExtensions.ToByteArray(request));

        using var call = await server.Client.SendAsync(Generate, GrpcTestClient.Frame(packed.ToArray(), flag: 1), message =>
        {
            message.Headers.Add("grpc-encoding", "gzip");
            message.Headers.Add("grpc-accept-encoding", "identity, deflate, gzip");
        });
        var (flag, payload) = Assert.Single(await call.ReadFramesAsync());

        Assert.Equal(StatusCode.Ok, call.Status.Code);
        Assert.Equal("gzip", call.Response.Headers.GetValues("grpc-encoding").Single());
        Assert.Equal(1, flag);
        var response = GenerateResponse.Parser.ParseFrom(MessageEncoding.Decompress(new(payload), 1_000_000));
        Assert.Equal("You said: " + request.Prompt, response.Text);
    }

    [Fact]
    public async Task Small_answers_and_answers_to_clients_that_cannot_read_gzip_stay_plain()
    {
        await using var server = await GrpcTestServer.StartAsync();
        var large = new GenerateRequest { Prompt = new string('x', 3000) };

        using var small = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, message =>
        {
            message.Headers.Add("grpc-encoding", "gzip");
            message.Headers.Add("grpc-accept-encoding", "gzip");
        });
        using var unable = await server.Client.SendAsync(Generate, large, With("grpc-encoding", "gzip"));
        using var plain = await server.Client.SendAsync(Generate, large, With("grpc-accept-encoding", "gzip"));

        Assert.Equal(0, Assert.Single(await small.ReadFramesAsync()).Flag);
        Assert.Equal(0, Assert.Single(await unable.ReadFramesAsync()).Flag);
        Assert.Equal(0, Assert.Single(await plain.ReadFramesAsync()).Flag);
        Assert.False(unable.Response.Headers.Contains("grpc-encoding"));
    }

    [Fact]
    public async Task An_unknown_encoding_is_unimplemented_and_the_known_ones_are_listed()
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest { Prompt = "hi" }, With("grpc-encoding", "snappy"));

        Assert.Equal(StatusCode.Unimplemented, call.Status.Code);
        Assert.Contains("'snappy'", call.Status.Message);
        Assert.Equal("identity,gzip", call.Response.Headers.GetValues("grpc-accept-encoding").Single());
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0 }, (int)StatusCode.Internal)]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1 }, (int)StatusCode.Internal)]
    [InlineData(new byte[] { 1, 0, 0, 0, 0 }, (int)StatusCode.Internal)]
    [InlineData(new byte[] { }, (int)StatusCode.Unimplemented)]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, (int)StatusCode.Unimplemented)]
    public async Task A_malformed_body_leaves_the_connection_usable(byte[] body, int status)
    {
        await using var server = await GrpcTestServer.StartAsync();

        using var call = await server.Client.SendAsync(Generate, body);
        Assert.Empty(await call.ReadFramesAsync());

        Assert.Equal((StatusCode)status, call.Status.Code);
        await server.Client.CallAsync<GenerateResponse>(Generate, new GenerateRequest { Prompt = "hi" });
    }

    [Fact]
    public async Task An_error_message_keeps_its_unicode()
    {
        await using var server = await GrpcTestServer.StartAsync();

        var (status, message) = await server.Client.FailAsync(Generate, new GenerateRequest { Model = "größe-海🌊 100%", Prompt = "hi" });

        Assert.Equal(StatusCode.NotFound, status);
        Assert.Equal("model 'größe-海🌊 100%' is not served here; served: fake, alias", message);
    }

    [Fact]
    public async Task Failures_of_the_engine_have_their_status_and_unexpected_ones_tell_nothing()
    {
        await using var invalid = await GrpcTestServer.StartAsync(new FakeEngine { Failure = new InvalidRequestException("top_p is 7; it must be at most 1", "top_p") });
        await using var unavailable = await GrpcTestServer.StartAsync(new FakeEngine { Failure = new EngineUnavailableException("the engine died") });
        await using var unexpected = await GrpcTestServer.StartAsync(new FakeEngine { Failure = new FormatException("secret path /etc/passwd") });
        var request = new GenerateRequest { Prompt = "hi" };

        Assert.Equal((StatusCode.InvalidArgument, "top_p is 7; it must be at most 1"), await invalid.Client.FailAsync(Generate, request));
        Assert.Equal((StatusCode.Unavailable, "the engine died"), await unavailable.Client.FailAsync(Generate, request));
        var (status, message) = await unexpected.Client.FailAsync(Generate, request);
        Assert.Equal(StatusCode.Internal, status);
        Assert.DoesNotContain("secret", message);
        Assert.Contains("secret", Assert.Single(unexpected.Log.Errors));
        Assert.Empty(invalid.Log.Errors.Concat(unavailable.Log.Errors));
    }

    [Fact]
    public async Task An_error_after_messages_comes_as_trailer()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = HoldAfter(2) });

        using var call = await server.Client.SendAsync(GenerateStream, new GenerateRequest { RequestId = "cut", Prompt = "hi" });
        await using var messages = call.MessagesAsync<GenerateStreamResponse>().GetAsyncEnumerator();
        Assert.True(await messages.MoveNextAsync());
        Assert.True(await messages.MoveNextAsync());
        server.State.BeginDraining();
        await server.Engine.DrainAsync(TimeSpan.Zero);

        Assert.False(await messages.MoveNextAsync());
        Assert.Equal((StatusCode.Unavailable, "the worker shut down before the request was finished"), call.Status);
        Assert.Equal(FinishReason.Abort, await server.Engine.EndingOf("cut"));
    }

    [Fact]
    public async Task New_work_waits_for_the_model_and_stops_at_draining()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);
        var request = new GenerateRequest { Prompt = "hi" };

        Assert.Equal((StatusCode.Unavailable, "the model is still loading"), await server.Client.FailAsync(Generate, request));
        server.BecomeReady();
        await server.Client.CallAsync<GenerateResponse>(Generate, request);
        server.State.BeginDraining();
        Assert.Equal((StatusCode.Unavailable, "the worker is shutting down and takes no new requests"), await server.Client.FailAsync(Generate, request));
    }

    private static Action<HttpRequestMessage> With(string header, string value) => request => request.Headers.TryAddWithoutValidation(header, value);

    private static Func<int, CancellationToken, Task> HoldAfter(int tokens) =>
        (made, token) => made < tokens ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token);
}
