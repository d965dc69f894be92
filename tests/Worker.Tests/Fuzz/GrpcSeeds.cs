using Cluster.Worker.Protos.V1;
using Google.Protobuf;
using Vllm = Cluster.Worker.Protos.Vllm;

namespace Cluster.Worker.Tests.Fuzz;

/// <summary>A sound message for every method of the gRPC services, to be damaged.</summary>
internal static class GrpcSeeds
{
    public static IEnumerable<(string Service, string Name, byte[] Message)> All => Messages();

    private static IEnumerable<(string Service, string Name, byte[] Message)> Messages()
    {
        const string Text = "cluster.v1.TextGeneration", Gateway = "vllm.grpc.engine.VllmEngine";
        var sampling = new SamplingParams { Temperature = 0.5f, MaxTokens = 2, Seed = 4, Stop = { "x" } };
        var chat = new Conversation
        {
            Messages = { new Message { Role = "system", Content = "be brief" }, new Message { Role = "user", Content = "hi 😀" } },
        };
        var generate = new GenerateRequest { Chat = chat, Sampling = sampling, Model = "model" };
        var fromText = new GenerateRequest { Prompt = "hello", Sampling = sampling };
        yield return (Text, "Generate", generate.ToByteArray());
        yield return (Text, "GenerateStream", fromText.ToByteArray());
        yield return (Text, "GenerateBatch", new GenerateBatchRequest { Requests = { fromText, generate } }.ToByteArray());
        yield return (Text, "Tokenize", new TokenizeRequest { Chat = chat, Model = "alias" }.ToByteArray());
        yield return (Text, "Detokenize", new DetokenizeRequest { TokenIds = { 5, 6, 100 }, SkipSpecialTokens = true }.ToByteArray());
        yield return (Gateway, "Generate", new Vllm.GenerateRequest
        {
            Text = "hello",
            Stream = true,
            SamplingParams = new Vllm.SamplingParams { MaxTokens = 2, TopK = 4, Regex = "[ab]+", LogitBias = { [7] = -1 } },
        }.ToByteArray());
        yield return (Gateway, "Generate", new Vllm.GenerateRequest
        {
            Tokenized = new Vllm.TokenizedInput { OriginalText = "hi", InputIds = { 9, 10 } },
            SamplingParams = new Vllm.SamplingParams { MaxTokens = 2, JsonSchema = "{\"type\": \"integer\"}", Seed = 3 },
        }.ToByteArray());
        yield return (Gateway, "Abort", new Vllm.AbortRequest { RequestIds = { "a", "b" } }.ToByteArray());
        yield return (Gateway, "HealthCheck", []);
        yield return (Gateway, "GetModelInfo", []);
        yield return (Gateway, "GetServerInfo", []);
        yield return (
            "grpc.health.v1.Health", "Check",
            new global::Grpc.Health.V1.HealthCheckRequest { Service = "liveness" }.ToByteArray());
        yield return (
            "grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo",
            new global::Grpc.Reflection.V1Alpha.ServerReflectionRequest { FileContainingSymbol = Text }.ToByteArray());
    }
}
