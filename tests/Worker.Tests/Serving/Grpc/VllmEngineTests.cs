using Cluster.Worker.Protos.Vllm;
using Cluster.Worker.Serving.Grpc.Framing;
using Google.Protobuf;
using Xunit;

namespace Cluster.Worker.Tests.Serving.Grpc;

public sealed class VllmEngineTests
{
    private const string Service = "/vllm.grpc.engine.VllmEngine/";
    private const string Generate = Service + "Generate";

    [Fact]
    public async Task A_stream_is_chunks_of_new_tokens_and_a_complete_with_all()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { Reply = _ => "sea", CachedTokens = 1 });

        var responses = await server.Client.StreamAsync<GenerateResponse>(Generate, new GenerateRequest { Text = "hi", Stream = true });

        var ids = new FakeTokenizer().Encode("sea", addSpecialTokens: false).Select(id => (uint)id).ToList();
        Assert.Equal(
            ids.Select((id, i) => new GenerateStreamChunk { TokenIds = { id }, PromptTokens = 3, CompletionTokens = (uint)i + 1, CachedTokens = 1 }),
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

        var response = await server.Client.CallAsync<GenerateResponse>(Generate, new GenerateRequest
        {
            RequestId = "r1",
            Tokenized = new TokenizedInput { OriginalText = "for logs", InputIds = { prompt } },
            SamplingParams = new SamplingParams { MaxTokens = 2 },
        });

        Assert.Equal(2, response.Complete.OutputIds.Count);
        Assert.Equal("length", response.Complete.FinishReason);
        var request = server.Engine.Requests.Single();
        Assert.Equal("r1", request.RequestId);
        Assert.Equal([0, 10, 20], request.PromptTokenIds);
    }

    [Fact]
    public async Task Abort_ends_a_stream_with_its_reason_and_ignores_unknown_ids()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine
        {
            BeforeOutput = (made, token) => made < 2 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token),
        });

        using var call = await server.Client.SendAsync(Generate, new GenerateRequest { RequestId = "r1", Text = "hi", Stream = true });
        await using var messages = call.MessagesAsync<GenerateResponse>().GetAsyncEnumerator();
        Assert.True(await messages.MoveNextAsync());
        Assert.True(await messages.MoveNextAsync());
        var busy = await server.Client.CallAsync<GetServerInfoResponse>(Service + "GetServerInfo", new GetServerInfoRequest());
        await server.Client.CallAsync<AbortResponse>(Service + "Abort", new AbortRequest { RequestIds = { "nobody", "r1" } });

        Assert.Equal(1u, busy.ActiveRequests);
        Assert.True(await messages.MoveNextAsync());
        Assert.Equal("abort", messages.Current.Complete.FinishReason);
        Assert.Equal(2, messages.Current.Complete.OutputIds.Count);
        Assert.False(await messages.MoveNextAsync());
        Assert.Equal(StatusCode.Ok, call.Status.Code);
    }

    [Fact]
    public async Task Two_running_requests_cannot_share_an_id()
    {
        await using var server = await GrpcTestServer.StartAsync(new FakeEngine { BeforeOutput = (made, token) => made < 1 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token) });
        var request = new GenerateRequest { RequestId = "twin", Text = "hi", Stream = true };

        using var first = await server.Client.SendAsync(Generate, request);

        Assert.Equal(StatusCode.InvalidArgument, (await server.Client.FailAsync(Generate, request)).Status);
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
            using var call = await server.Client.SendAsync(Generate, GrpcTestClient.Frame(body));
            Assert.Empty(await call.ReadFramesAsync());
            Assert.Equal((StatusCode.InvalidArgument, "mm_inputs is set; this worker takes no multimodal input"), call.Status);
        }
    }

    [Fact]
    public async Task Unusable_input_is_named()
    {
        await using var server = await GrpcTestServer.StartAsync();

        Assert.Contains("no input", (await server.Client.FailAsync(Generate, new GenerateRequest())).Message);
        Assert.Contains("no tokens", (await server.Client.FailAsync(Generate, new GenerateRequest { Tokenized = new() })).Message);
        Assert.Contains("input_ids[0] is 260; the vocabulary has 260", (await server.Client.FailAsync(Generate, new GenerateRequest { Tokenized = new() { InputIds = { 260 } } })).Message);
    }

    [Fact]
    public async Task Embed_is_unimplemented()
    {
        await using var server = await GrpcTestServer.StartAsync();

        Assert.Equal(StatusCode.Unimplemented, (await server.Client.FailAsync(Service + "Embed", new EmbedRequest())).Status);
    }

    [Fact]
    public async Task Model_and_server_describe_themselves()
    {
        await using var server = await GrpcTestServer.StartAsync();
        server.Time.Advance(TimeSpan.FromSeconds(90));

        var model = await server.Client.CallAsync<GetModelInfoResponse>(Service + "GetModelInfo", new GetModelInfoRequest());
        var before = await server.Client.CallAsync<GetServerInfoResponse>(Service + "GetServerInfo", new GetServerInfoRequest());
        await server.Client.CallAsync<GenerateResponse>(Generate, new GenerateRequest { Text = "hi" });
        server.State.BeginDraining();
        var after = await server.Client.CallAsync<GetServerInfoResponse>(Service + "GetServerInfo", new GetServerInfoRequest());

        Assert.Equal(new GetModelInfoResponse { ModelPath = "/models/fake", IsGeneration = true, MaxContextLength = 1_000_000, VocabSize = 260 }, model);
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
        Assert.Equal(0u, (await server.Client.CallAsync<GetServerInfoResponse>(Service + "GetServerInfo", new GetServerInfoRequest())).ActiveRequests);
        Assert.Equal(StatusCode.Unavailable, (await server.Client.FailAsync(Service + "GetModelInfo", new GetModelInfoRequest())).Status);
        Assert.Equal(StatusCode.Unavailable, (await server.Client.FailAsync(Generate, new GenerateRequest { Text = "hi" })).Status);
        server.BecomeReady();
        Assert.Equal(new HealthCheckResponse { Healthy = true, Message = "ready" }, await HealthAsync());
        server.State.BeginDraining();
        Assert.False((await HealthAsync()).Healthy);
        Assert.Equal(StatusCode.Unavailable, (await server.Client.FailAsync(Generate, new GenerateRequest { Text = "hi" })).Status);

        Task<HealthCheckResponse> HealthAsync() => server.Client.CallAsync<HealthCheckResponse>(Service + "HealthCheck", new HealthCheckRequest());
    }
}
