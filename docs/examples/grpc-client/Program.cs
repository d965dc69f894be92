// Asks a worker for one answer and prints it as it comes.
// usage: grpc-client ADDRESS PROMPT
using Cluster.Worker.Protos.V1;
using Grpc.Core;
using Grpc.Net.Client;

using var channel = GrpcChannel.ForAddress(args[0]);
var client = new TextGeneration.TextGenerationClient(channel);
var request = new GenerateRequest
{
    Chat = new Conversation { Messages = { new Message { Role = "user", Content = args[1] } } },
    Sampling = new SamplingParams { Temperature = 0, MaxTokens = 64 },
};

// A worker that was started with --api-key wants this header; others ignore it.
var headers = new Metadata { { "authorization", $"Bearer {Environment.GetEnvironmentVariable("CLUSTER_API_KEY") ?? "none"}" } };
using var call = client.GenerateStream(request, headers, deadline: DateTime.UtcNow.AddMinutes(1));
await foreach (var part in call.ResponseStream.ReadAllAsync())
{
    Console.Write(part.Text);
}

Console.WriteLine();
