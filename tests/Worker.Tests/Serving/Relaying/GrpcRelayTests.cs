using System.Text.Json.Nodes;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Google.Protobuf;
using Grpc.Core;
using Vllm = Cluster.Worker.Protos.Vllm;

namespace Cluster.Worker.Tests.Serving.Relaying;

/// <summary>gRPC streams that move from one replica to another: every message is an event.</summary>
public sealed class GrpcRelayTests(RelayFixture replicas) : IClassFixture<RelayFixture>
{
    private static readonly Metadata Key = new() { { RelayedStream.KeyHeader, RelayedStream.Key } };

    private static readonly Dictionary<string, GenerateRequest> Requests = new()
    {
        ["greedy"] = new() { Prompt = "Once there was", Sampling = new SamplingParams { Temperature = 0, MaxTokens = 14 } },
        ["drawn seed"] = new()
        {
            Prompt = "Once there was",
            Sampling = new SamplingParams { Temperature = 1.4f, MaxTokens = 14, IgnoreEos = true },
        },
        ["log-probabilities"] = new()
        {
            Prompt = "Once there was",
            Sampling = new SamplingParams { Temperature = 1.4f, MaxTokens = 10, Logprobs = 2, PromptLogprobs = 1 },
        },
        ["chat"] = new()
        {
            Chat = new Conversation { Messages = { new Message { Role = "user", Content = "Write a haiku about the sea" } } },
            Sampling = new SamplingParams { Temperature = 0.8f, MaxTokens = 20, Stop = { " the" } },
        },
        ["pattern"] = new()
        {
            Prompt = "Once",
            Sampling = new SamplingParams { Temperature = 1, MaxTokens = 40, Regex = "[äß€🌊]{5}" },
        },
    };

    public static TheoryData<string> Titles => [.. Requests.Keys];

    [Theory, MemberData(nameof(Titles))]
    public async Task A_text_goes_on_elsewhere_message_by_message(string title)
    {
        var request = Requests[title];
        var whole = await SendAsync(replicas.First, request, []);
        Assert.All(whole.SkipLast(1), message => Assert.Single(message.TokenIds));

        foreach (var cut in replicas.Cuts(whole.Count))
        {
            var delivered = whole.Take(cut).ToArray();
            var rest = await SendAsync(replicas.OtherFor(cut), request, delivered);

            Assert.Equal(whole, delivered.Concat(rest));
        }
    }

    [Theory]
    [InlineData(0f, true)]
    [InlineData(1.4f, true)]
    [InlineData(1.4f, false)]
    public async Task Tokens_go_on_elsewhere_message_by_message(float temperature, bool stream)
    {
        var request = new Vllm.GenerateRequest
        {
            Text = "Once there was a small robot",
            Stream = stream,
            SamplingParams = new Vllm.SamplingParams { Temperature = temperature, MaxTokens = 12, IgnoreEos = true, Stop = { "zzz" } },
        };
        var whole = await SendAsync(replicas.First, request, []);
        Assert.Equal(stream ? 13 : 1, whole.Count);

        foreach (var cut in replicas.Cuts(whole.Count))
        {
            var delivered = whole.Take(stream ? cut : 0).ToArray();
            var rest = await SendAsync(replicas.OtherFor(cut), request, delivered);

            Assert.Equal(stream ? whole : [WithoutCache(whole[0])], stream ? delivered.Concat(rest) : [WithoutCache(rest[0])]);
        }
    }

    [Fact]
    public async Task A_whole_text_is_the_same_from_every_replica()
    {
        var request = Requests["chat"].Clone();
        request.ClusterEnvelope = Envelope([], null, 0);

        var answers = new List<GenerateResponse>();
        foreach (var server in new[] { replicas.First, replicas.Second, replicas.Third })
        {
            using var channel = GrpcClients.Open(server.Http.Server.GrpcAddress);
            var answer = await new TextGeneration.TextGenerationClient(channel).GenerateAsync(request, Key);
            answer.Usage.CachedTokens = 0;
            answers.Add(answer);
        }

        Assert.Equal("grpc-0123", answers[0].RequestId);
        Assert.All(answers, answer => Assert.Equal(answers[0], answer));
    }

    private static Vllm.GenerateResponse WithoutCache(Vllm.GenerateResponse response)
    {
        var copy = response.Clone();
        copy.Complete.CachedTokens = 0;
        return copy;
    }

    private static async Task<List<GenerateStreamResponse>> SendAsync(
        HaikuServer server, GenerateRequest request, IReadOnlyList<GenerateStreamResponse> delivered)
    {
        using var channel = GrpcClients.Open(server.Http.Server.GrpcAddress);
        var enveloped = request.Clone();
        enveloped.ClusterEnvelope = Envelope(
            delivered.SelectMany(message => message.TokenIds), delivered.FirstOrDefault()?.Usage.CachedTokens, delivered.Count);
        return await new TextGeneration.TextGenerationClient(channel).GenerateStream(enveloped, Key).ToListAsync();
    }

    private static async Task<List<Vllm.GenerateResponse>> SendAsync(
        HaikuServer server, Vllm.GenerateRequest request, IReadOnlyList<Vllm.GenerateResponse> delivered)
    {
        using var channel = GrpcClients.Open(server.Http.Server.GrpcAddress);
        var enveloped = request.Clone();
        enveloped.ClusterEnvelope = Envelope(
            delivered.SelectMany(message => message.Chunk?.TokenIds ?? []), delivered.FirstOrDefault()?.Chunk?.CachedTokens,
            delivered.Count);
        return await new Vllm.VllmEngine.VllmEngineClient(channel).Generate(enveloped, Key).ToListAsync();
    }

    private static ByteString Envelope(IEnumerable<uint> tokens, uint? cachedTokens, int events)
    {
        var envelope = RelayedStream.Nothing.State();
        envelope["choices"] = new JsonArray(
            new JsonObject { ["tokens"] = new JsonArray([.. tokens.Select(token => (JsonNode)token)]), ["events"] = events });
        if (cachedTokens is { } known)
        {
            envelope["cachedTokens"] = known;
        }

        return ByteString.CopyFromUtf8(envelope.ToJsonString());
    }
}
