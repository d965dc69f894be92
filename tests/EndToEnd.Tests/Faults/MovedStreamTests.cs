using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Load;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Google.Protobuf;
using Grpc.Core;

namespace Cluster.EndToEnd.Tests.Faults;

/// <summary>A replica is killed in the middle of many streams, and another goes on with each where it broke off, as a gateway would have
/// it.</summary>
[Collection(LoadCollection.Name), Trait(Category.Name, Category.Long)]
public sealed class MovedStreamTests
{
    private const int NumStreams = 24;
    private const int NumCalls = 4;

    /// <summary>Events of the first replica, of all streams together, after which it is killed.</summary>
    private const int EventsBeforeKill = 900;

    private static readonly Metadata Key = new() { { RelayedStream.KeyHeader, RelayedStream.Key } };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Every_stream_of_a_killed_replica_goes_on_to_the_last_byte(int ranks)
    {
        using var folder = new TemporaryFolder().With("key", RelayedStream.Key + "\n");
        await using var first = await WorkerProcess.StartAsync(
            WorkerProcess.SampleModel,
            new Dictionary<string, string> { ["CLUSTER_GATEWAY_KEY"] = RelayedStream.Key, ["POD_NAME"] = "haiku-0" },
            "--tensor-parallel-size", $"{ranks}");
        await using var second = await WorkerProcess.StartAsync(
            "--tensor-parallel-size", $"{ranks}", "--gateway-key-file", $"{folder.Path}/key");
        using var client = new HttpClient();
        (string Path, string Body)[] requests = [.. Enumerable.Range(0, NumStreams).Select(RequestOf)];
        var whole = await Task.WhenAll(requests.Select((request, i) => SendAsync(second, request, i, RelayedStream.Nothing)));
        var calls = await Task.WhenAll(Enumerable.Range(0, NumCalls).Select(i => CallAsync(second, i, [])));

        var events = new int[NumStreams];
        var isKilled = false;
        var delivered = await Task.WhenAll(requests.Select((request, i) => SendAsync(first, request, i, RelayedStream.Nothing, Count(i))));
        await first.ExitAsync();

        var rest = await Task.WhenAll(requests.Select((request, i) => SendAsync(second, request, i, delivered[i])));
        var moved = 0;
        for (var i = 0; i < NumStreams; i++)
        {
            moved += delivered[i].Events.Count > 0 && rest[i].Events.Count > 0 ? 1 : 0;
            Assert.Equal(whole[i].Text, delivered[i].Text + rest[i].Text);
        }

        Assert.True(moved > NumStreams / 2, $"{moved} of {NumStreams} streams were cut");
        for (var i = 0; i < NumCalls; i++)
        {
            var part = calls[i].Take(10 * i).ToArray();
            Assert.Equal(calls[i], part.Concat(await CallAsync(second, i, part)));
        }

        Func<int, bool> Count(int stream) => count =>
        {
            events[stream] = count;
            if (events.Sum() > EventsBeforeKill && Interlocked.Exchange(ref isKilled, true) == false)
            {
                first.Kill();
            }

            return false;
        };

        Task<RelayedStream> SendAsync(
            WorkerProcess worker, (string Path, string Body) request, int i, RelayedStream from, Func<int, bool>? enough = null) =>
            RelayedStream.ReadAsync(client, from.Request(worker.Http, request.Path, request.Body, $"stream-{i}"), enough);
    }

    private static (string Path, string Body) RequestOf(int i)
    {
        var shared = $"\"stream\": true, \"max_tokens\": {150 + i}, \"temperature\": 1.{i % 7}, \"ignore_eos\": true";
        return (i % 4) switch
        {
            0 => ("/v1/chat/completions",
                $$$"""{"messages": [{"role": "user", "content": "haiku {{{i}}}"}], "n": 2, {{{shared}}}, "stream_options": {"include_usage": true}}"""),
            1 => ("/v1/completions", $$"""{"prompt": "Once there was {{i}}", "logprobs": 2, {{shared}} }"""),
            2 => ("/generate", $$"""{"prompt": "Once there was {{i}}", {{shared}} }"""),
            _ => ("/generate_stream",
                $$$"""{"inputs": "Once {{{i}}}", "parameters": {"do_sample": true, "temperature": 1.2, "max_new_tokens": 120, "details": true}}"""),
        };
    }

    private static async Task<List<GenerateStreamResponse>> CallAsync(
        WorkerProcess worker, int i, IReadOnlyList<GenerateStreamResponse> delivered)
    {
        var envelope = RelayedStream.Nothing.State($"call-{i}");
        envelope["choices"] = new JsonArray(new JsonObject
        {
            ["tokens"] = new JsonArray([.. delivered.SelectMany(message => message.TokenIds).Select(token => (JsonNode)token)]),
            ["events"] = delivered.Count,
        });
        if (delivered.Count > 0)
        {
            envelope["cachedTokens"] = delivered[0].Usage.CachedTokens;
        }

        using var channel = GrpcClients.Open(worker.Grpc);
        return await new TextGeneration.TextGenerationClient(channel).GenerateStream(
            new GenerateRequest
            {
                Prompt = $"Once there was {i}",
                Sampling = new SamplingParams { Temperature = 1.3f, MaxTokens = 60, IgnoreEos = true, Logprobs = 1 },
                ClusterEnvelope = ByteString.CopyFromUtf8(envelope.ToJsonString()),
            },
            Key).ToListAsync();
    }
}
