using System.Text.Json.Nodes;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Cluster.Worker.Tokenization;
using Grpc.Core;
using Vllm = Cluster.Worker.Protos.Vllm;

namespace Cluster.Worker.Tests.Serving.Limits;

/// <summary>Every way to hand a worker a text that can never fit: each is refused, by name, before the text is tokenized.</summary>
public sealed class LongPromptTests : IAsyncLifetime
{
    private static readonly string Long = string.Concat(Enumerable.Repeat("old pond, a frog ", 500_000));

    private readonly MeteredTokenizer _tokenizer = new(Tokenizer.Load(Fixtures.Haiku));
    private HttpTestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await HttpTestServer.StartAsync(ready: false);
        _server.Server.BecomeReady(
            new ServedModel(
                ["haiku"], Fixtures.Haiku, new FakeEngine { MaxModelLength = 1024 }, _tokenizer,
                ChatTemplate.Load(Fixtures.Haiku), ["cpu"]));
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Assert.InRange(_tokenizer.Characters, 0, 40_000);
    }

    [Theory]
    [InlineData("/v1/completions", """{"prompt": "$"}""", "context_length_exceeded")]
    [InlineData("/v1/completions", """{"prompt": ["short", "$"]}""", "context_length_exceeded")]
    [InlineData("/v1/chat/completions", """{"messages": [{"role": "user", "content": "$"}]}""", "context_length_exceeded")]
    [InlineData("/generate", """{"prompt": "$"}""", "context_length_exceeded")]
    [InlineData("/tokenize", """{"prompt": "$"}""", null)]
    [InlineData("/tokenize", """{"messages": [{"role": "user", "content": "$"}]}""", "context_length_exceeded")]
    public async Task A_text_over_http_is_refused(string path, string body, string? code)
    {
        var (status, answer) = await _server.PostAsync(path, body.Replace("$", Long, StringComparison.Ordinal));

        Assert.Equal(400, status);
        Assert.Equal(code, (string?)answer["error"]!["code"]);
        Assert.Contains((string)answer["error"]!["param"]!, body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/generate")]
    [InlineData("/generate_stream")]
    [InlineData("/")]
    public async Task A_text_by_tgis_paths_is_refused(string path)
    {
        var (status, answer) = await _server.PostAsync(path, new JsonObject { ["inputs"] = Long }.ToJsonString());

        Assert.Equal(422, status);
        Assert.Contains("1024 tokens", (string)answer["error"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_over_grpc_is_refused()
    {
        using var channel = GrpcClients.Open(_server.Server.GrpcAddress);
        var text = new TextGeneration.TextGenerationClient(channel);
        var chat = new Conversation { Messages = { new Message { Role = "user", Content = Long } } };
        var engine = new Vllm.VllmEngine.VllmEngineClient(channel).Generate(new Vllm.GenerateRequest { Text = Long });

        (StatusCode Status, string Detail)[] failures = [
            await text.GenerateAsync(new GenerateRequest { Prompt = Long }).FailAsync(),
            await text.GenerateAsync(new GenerateRequest { Chat = chat }).FailAsync(),
            await text.TokenizeAsync(new TokenizeRequest { Text = Long }).FailAsync(),
            await text.TokenizeAsync(new TokenizeRequest { Chat = chat }).FailAsync()];

        Assert.All(failures, failure => Assert.Equal(StatusCode.InvalidArgument, failure.Status));
        Assert.Equal(
            StatusCode.InvalidArgument,
            (await Assert.ThrowsAsync<RpcException>(async () => await engine.ResponseStream.MoveNext(CancellationToken.None))).StatusCode);
    }
}
