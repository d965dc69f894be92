using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Worker.Protos.V1;
using Grpc.Net.Client;

namespace Cluster.EndToEnd.Tests.Serving;

/// <summary>A model of random weights, served and measured like any other.</summary>
public sealed partial class SyntheticServingTests
{
    private const string Model = "synthetic:llama-135m:w8a16";

    [Fact]
    public async Task It_answers_over_http_and_grpc_with_numbered_words_and_bench_serve_measures_it()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var worker = await WorkerProcess.StartModelAsync(Model, "--max-model-len", "256", "--max-num-batched-tokens", "256");
        using var http = new HttpClient { BaseAddress = worker.Http };

        var text = await PostAsync(http, "v1/completions", new { model = Model, prompt = " 300 301", max_tokens = 6, temperature = 0 });
        var chat = await PostAsync(http, "v1/chat/completions", new
        {
            model = Model,
            max_tokens = 6,
            messages = new[] { new { role = "user", content = " 300 301" } },
        });
        using var channel = GrpcChannel.ForAddress(worker.Grpc);
        var reply = await new TextGeneration.TextGenerationClient(channel).GenerateAsync(
            new GenerateRequest { Prompt = " 300 301", Sampling = new SamplingParams { MaxTokens = 6, Temperature = 0 } },
            cancellationToken: cancel);

        Assert.Equal((2, 6), ((int)text["usage"]!["prompt_tokens"]!, (int)text["usage"]!["completion_tokens"]!));
        Assert.Equal(6, (int)chat["usage"]!["completion_tokens"]!);
        var words = (string)text["choices"]![0]!["text"]!;
        Assert.Matches(Word(), words);
        Assert.Contains(words, reply.ToString(), StringComparison.Ordinal);

        var bench = await CommandLine.RunAsync(
            WorkerProcess.Program,
            [
                "bench", "serve", "--model", Model, "--base-url", worker.Http.AbsoluteUri, "--num-prompts", "4", "--random-input-len", "8",
                "--random-output-len", "4", "--ignore-eos", "--max-concurrency", "2",
            ]);
        Assert.True(bench.ExitCode == 0, bench.All);
        Assert.Matches(@"Successful requests: +4\b", bench.Output);
    }

    private static async Task<JsonNode> PostAsync(HttpClient http, string path, object body)
    {
        using var response = await http.PostAsJsonAsync(path, body, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    /// <summary>Of random weights hardly any token is one of the 258 that are no words.</summary>
    [GeneratedRegex(@" \d+")]
    private static partial Regex Word();
}
