using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Serving;

/// <summary>A real worker on loopback: the sample model in the real engine behind every API, with the reference texts to compare
/// to.</summary>
internal sealed class HaikuServer : IAsyncDisposable
{
    private const int ReferenceTokens = 6;

    private readonly LlmEngine _engine;

    private HaikuServer(HttpTestServer http, LlmEngine engine)
    {
        Http = http;
        _engine = engine;
    }

    /// <summary>What Hugging Face transformers writes.</summary>
    public static JsonNode Expected { get; } = JsonNode.Parse(File.ReadAllText(Fixtures.HaikuExpected))!;

    public HttpTestServer Http { get; }

    public EngineStatistics Statistics => _engine.Statistics;

    /// <param name="options">Of the engine, beside the model's own.</param>
    /// <param name="proposer">Guesses tokens ahead; null for nobody.</param>
    /// <param name="formats">Of outputs; null for the default.</param>
    public static async Task<HaikuServer> StartAsync(
        Func<ServerOptions, ServerOptions>? configure = null, EngineOptions? options = null, IDraftProposer? proposer = null,
        OutputFormats? formats = null)
    {
        var http = await HttpTestServer.StartAsync(ready: false, configure: configure);
        var model = ModelLoader.Load(
            Fixtures.Haiku, CpuBackend.Create(new CpuOptions()),
            new ModelRunnerOptions { MaxSequences = 16, MaxModelLength = 512, MaxBatchedTokens = 2048, KvCacheDType = DType.BF16 });
        var tokenizer = Tokenizer.Load(Fixtures.Haiku);
        var engine = new LlmEngine(
            model.Runner, tokenizer, (options ?? new EngineOptions()) with { EosTokenIds = [.. model.Config.EosTokenIds] },
            TimeProvider.System, proposer, http.Server.Observer);
        http.Server.BecomeReady(
            new ServedModel(["haiku"], Fixtures.Haiku, engine, tokenizer, ChatTemplate.Load(Fixtures.Haiku), ["cpu"])
            {
                Formats = formats ?? OutputFormats.Default,
            });
        return new HaikuServer(http, engine);
    }

    /// <summary>Asks over HTTP and over gRPC for the beginning of a reference text, and asserts that it comes.</summary>
    public async Task RequireItServesAsync()
    {
        var expected = Expected["completions"]![0]!;
        int[] ids = [.. expected["output_ids"]!.AsArray().Take(ReferenceTokens).Select(id => (int)id!)];
        var (status, body) = await Http.PostAsync(
            "/v1/completions",
            new JsonObject { ["prompt"] = (string)expected["prompt"]!, ["temperature"] = 0, ["max_tokens"] = ReferenceTokens }
                .ToJsonString());
        using var channel = GrpcClients.Open(Http.Server.GrpcAddress);
        var answer = await new TextGeneration.TextGenerationClient(channel).GenerateAsync(
            new GenerateRequest
            {
                Prompt = (string)expected["prompt"]!,
                Sampling = new SamplingParams { Temperature = 0, MaxTokens = ReferenceTokens }
            });

        Assert.Equal(200, status);
        Assert.StartsWith((string)body["choices"]![0]!["text"]!, (string)expected["text"]!, StringComparison.Ordinal);
        Assert.Equal(ids, answer.TokenIds.Select(id => (int)id));
    }

    public async ValueTask DisposeAsync()
    {
        await Http.DisposeAsync();
        await _engine.DisposeAsync();
    }
}
