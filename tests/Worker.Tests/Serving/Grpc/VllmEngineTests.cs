using Cluster.Worker.Protos.Vllm;
using Google.Protobuf;
using Grpc.Core;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class VllmEngineTests
{
    [Fact]
    public async Task A_stream_is_chunks_of_new_tokens_and_a_complete_with_all()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "sea", CachedTokens = 1 });

        var responses = await server.Vllm.Generate(new GenerateRequest { Text = "hi", Stream = true }).ToListAsync();

        var ids = new FakeTokenizer().Encode("sea", addSpecialTokens: false).Select(id => (uint)id).ToList();
        Assert.Equal(
            ids.Select(
                (id, i) =>
                    new GenerateStreamChunk { TokenIds = { id }, PromptTokens = 3, CompletionTokens = (uint)i + 1, CachedTokens = 1 }),
            responses[..^1].Select(response => response.Chunk));
        Assert.Equal(
            new GenerateComplete { OutputIds = { ids }, FinishReason = "stop", PromptTokens = 3, CompletionTokens = 3, CachedTokens = 1 },
            responses[^1].Complete);
    }

    [Fact]
    public async Task Without_stream_there_is_one_complete()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "sea" });
        uint[] prompt = [0, 10, 20];

        var request = new GenerateRequest
        {
            RequestId = "r1",
            Tokenized = new TokenizedInput { OriginalText = "for logs", InputIds = { prompt } },
            SamplingParams = new SamplingParams { MaxTokens = 2 },
        };
        var response = Assert.Single(await server.Vllm.Generate(request).ToListAsync());

        Assert.Equal(2, response.Complete.OutputIds.Count);
        Assert.Equal("length", response.Complete.FinishReason);
        var received = server.Engine.Requests.Single();
        Assert.Equal("r1", received.RequestId);
        Assert.Equal([0, 10, 20], received.PromptTokenIds);
    }

    [Fact]
    public async Task Abort_ends_a_stream_with_its_reason_and_ignores_unknown_ids()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine
        {
            BeforeOutput = (made, token) => made < 2 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token),
        });

        using var call = server.Vllm.Generate(new GenerateRequest { RequestId = "r1", Text = "hi", Stream = true });
        var messages = call.ResponseStream;
        Assert.True(await messages.MoveNext(CancellationToken.None));
        Assert.True(await messages.MoveNext(CancellationToken.None));
        var busy = await server.Vllm.GetServerInfoAsync(new GetServerInfoRequest());
        await server.Vllm.AbortAsync(new AbortRequest { RequestIds = { "nobody", "r1" } });

        Assert.Equal(1u, busy.ActiveRequests);
        Assert.True(await messages.MoveNext(CancellationToken.None));
        Assert.Equal("abort", messages.Current.Complete.FinishReason);
        Assert.Equal(2, messages.Current.Complete.OutputIds.Count);
        Assert.False(await messages.MoveNext(CancellationToken.None));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Two_running_requests_cannot_share_an_id()
    {
        await using var server = await GrpcTestServer.StartAsync(
            new FakeEngine { BeforeOutput = (made, token) => made < 1 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token) });
        var request = new GenerateRequest { RequestId = "twin", Text = "hi", Stream = true };

        using var first = server.Vllm.Generate(request);
        Assert.True(await first.ResponseStream.MoveNext(CancellationToken.None));

        Assert.Equal(StatusCode.InvalidArgument, (await server.Vllm.Generate(request).FailAsync()).Status);
    }

    [Fact]
    public async Task Multimodal_input_is_refused_even_when_empty()
    {
        await using var server = await GrpcTestServer.StartAsync();

        // As a client of the original interface writes it: field 7, length-delimited.
        byte[] withImage = [.. new GenerateRequest { Text = "hi" }.ToByteArray(), (7 << 3) | 2, 3, 0x0A, 1, (byte)'x'];
        byte[] empty = [.. new GenerateRequest { Text = "hi" }.ToByteArray(), (7 << 3) | 2, 0];
        foreach (var body in new[] { withImage, empty })
        {
            using var call = await server.Raw.SendAsync("/vllm.grpc.engine.VllmEngine/Generate", GrpcTestClient.Frame(body));
            Assert.Empty(await call.ReadFramesAsync());
            Assert.Equal((StatusCode.InvalidArgument, "mm_inputs is set; this worker takes no multimodal input"), call.Status);
        }
    }

    [Fact]
    public async Task Unusable_input_is_named()
    {
        await using var server = await GrpcTestServer.StartAsync();

        Assert.Contains("no input", (await server.Vllm.Generate(new GenerateRequest()).FailAsync()).Message);
        Assert.Contains("no tokens", (await server.Vllm.Generate(new GenerateRequest { Tokenized = new() }).FailAsync()).Message);
        Assert.Contains(
            "input_ids[0] is 260; the vocabulary has 260",
            (await server.Vllm.Generate(new GenerateRequest { Tokenized = new() { InputIds = { 260 } } }).FailAsync()).Message);
    }

    [Fact]
    public async Task Embed_is_unimplemented()
    {
        await using var server = await GrpcTestServer.StartAsync();

        Assert.Equal(StatusCode.Unimplemented, (await server.Vllm.EmbedAsync(new EmbedRequest()).FailAsync()).Status);
    }

    [Fact]
    public async Task Model_and_server_describe_themselves()
    {
        await using var server = await GrpcTestServer.StartAsync();
        server.Time.Advance(TimeSpan.FromSeconds(90));

        var model = await server.Vllm.GetModelInfoAsync(new GetModelInfoRequest());
        var before = await server.Vllm.GetServerInfoAsync(new GetServerInfoRequest());
        await server.Vllm.Generate(new GenerateRequest { Text = "hi" }).ToListAsync();
        server.State.BeginDraining();
        var after = await server.Vllm.GetServerInfoAsync(new GetServerInfoRequest());

        Assert.Equal(
            new GetModelInfoResponse { ModelPath = "/models/fake", IsGeneration = true, MaxContextLength = 1_000_000, VocabSize = 260 },
            model);
        Assert.Equal(new GetServerInfoResponse { UptimeSeconds = 90, ServerType = "cluster-worker" }, before);
        Assert.Equal(
            new GetServerInfoResponse
            {
                IsPaused = true,
                LastReceiveTimestamp = server.Time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0,
                UptimeSeconds = 90,
                ServerType = "cluster-worker",
            },
            after);
    }

    [Fact]
    public async Task Health_follows_the_worker_and_questions_are_answered_while_it_loads()
    {
        await using var server = await GrpcTestServer.StartAsync(ready: false);

        Assert.Equal(new HealthCheckResponse { Message = "the model is still loading" }, await HealthAsync());
        Assert.Equal(0u, (await server.Vllm.GetServerInfoAsync(new GetServerInfoRequest())).ActiveRequests);
        Assert.Equal(StatusCode.Unavailable, (await server.Vllm.GetModelInfoAsync(new GetModelInfoRequest()).FailAsync()).Status);
        Assert.Equal(StatusCode.Unavailable, (await server.Vllm.Generate(new GenerateRequest { Text = "hi" }).FailAsync()).Status);
        server.BecomeReady();
        Assert.Equal(new HealthCheckResponse { Healthy = true, Message = "ready" }, await HealthAsync());
        server.State.BeginDraining();
        Assert.False((await HealthAsync()).Healthy);
        Assert.Equal(StatusCode.Unavailable, (await server.Vllm.Generate(new GenerateRequest { Text = "hi" }).FailAsync()).Status);

        Task<HealthCheckResponse> HealthAsync() => server.Vllm.HealthCheckAsync(new HealthCheckRequest()).ResponseAsync;
    }
}
