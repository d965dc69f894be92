using System.Text.Json.Nodes;
using System.Xml.Linq;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tokenization;
using Microsoft.Extensions.Logging;

namespace Cluster.Worker.Tests.Benchmarking;

/// <summary>The whole benchmark against a real server with the sample model, both in this process.</summary>
public sealed class BenchServeTests
{
    [Fact]
    public async Task Tokens_are_accounted_for_and_results_saved()
    {
        await using var haiku = await HaikuServer.StartAsync();
        var folder = Directory.CreateTempSubdirectory("bench-serve-");
        try
        {
            var plot = Path.Combine(folder.FullName, "plot.svg");
            var status = await Program.Main(
            [
                "bench", "serve", "--base-url", haiku.Address, "--tokenizer", Fixtures.Haiku, "--num-prompts", "6", "--random-input-len",
                "20", "--random-output-len", "8", "--ignore-eos",
                "--max-concurrency", "3", "--request-rate", "500,inf", "--goodput", "e2el:600000", "--save-result", "--result-dir",
                folder.FullName, "--result-filename", "run.json", "--plot", plot,
            ]);

            Assert.Equal(0, status);
            foreach (var (rate, file) in new[] { ("500", "run-500qps.json"), ("inf", "run-infqps.json") })
            {
                var result = JsonNode.Parse(
                    await File.ReadAllTextAsync(Path.Combine(folder.FullName, file), TestContext.Current.CancellationToken))!;
                Assert.Equal(rate, result["request_rate"]!.ToString());
                Assert.Equal("haiku", (string)result["model_id"]!);
                Assert.Equal(6, (int)result["completed"]!);
                Assert.Equal(0, (int)result["failed"]!);
                Assert.Equal(6 * 20, (int)result["total_input_tokens"]!);
                Assert.Equal(6 * 8, (int)result["total_output_tokens"]!);
                Assert.Equal((double)result["request_throughput"]!, (double)result["request_goodput"]!, 1e-9);
                Assert.True((double)result["mean_ttft_ms"]! <= (double)result["mean_e2el_ms"]!);
            }

            // What the clients counted is what the engine counted, at two rates, and the request that comes before them.
            Assert.Equal((13L * 20, 13L * 8), (haiku.Engine.Statistics.PromptTokens, haiku.Engine.Statistics.GenerationTokens));
            Assert.Equal("svg", XDocument.Load(plot).Root!.Name.LocalName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task An_unknown_model_fails_each_request_with_the_servers_words()
    {
        await using var haiku = await HaikuServer.StartAsync();
        using var http = CompletionClient.CreateHttpClient(apiKey: null);
        var address = new Uri(haiku.Address);
        var client = new CompletionClient(
            http, CompletionClient.At(address, "/v1/completions"), "other", ignoreEos: true, TimeProvider.System);

        Assert.Equal("haiku", await CompletionClient.FirstModelAsync(http, address, TestContext.Current.CancellationToken));
        var measurement = await client.SendAsync(new BenchmarkPrompt([1, 2, 3], 4), TestContext.Current.CancellationToken);

        Assert.Contains("HTTP 404", measurement.Error);
        Assert.Contains("other", measurement.Error);
        Assert.Equal(1, await Program.Main(
            ["bench", "serve", "--base-url", haiku.Address, "--served-model-name", "other", "--tokenizer", Fixtures.Haiku, "--num-prompts",
                "2", "--random-input-len", "4", "--random-output-len", "2"]));
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_named()
    {
        using var http = CompletionClient.CreateHttpClient(apiKey: null);

        // Port 1 of loopback: nobody listens there, and refusing takes no time.
        var failure = await Assert.ThrowsAsync<IOException>(
            () => CompletionClient.FirstModelAsync(http, new Uri("http://127.0.0.1:1"), TestContext.Current.CancellationToken));

        Assert.Contains("http://127.0.0.1:1", failure.Message);
    }

    [Theory]
    [InlineData("--request-rate", "0")]
    [InlineData("--request-rate", "1,x")]
    [InlineData("--burstiness", "0")]
    [InlineData("--goodput", "itl:3")]
    [InlineData("--percentile-metrics", "ttft,speed")]
    [InlineData("--metric-percentiles", "101")]
    [InlineData("--num-prompts", "0")]
    [InlineData("--dataset-name", "poems")]
    public async Task A_wrong_option_is_refused(string option, string value) =>
        Assert.Equal(2, await Program.Main(["bench", "serve", option, value]));

    private sealed class HaikuServer(WorkerServer server, LlmEngine engine) : IAsyncDisposable
    {
        public LlmEngine Engine => engine;

        public string Address => server.HttpAddress.ToString();

        public static async Task<HaikuServer> StartAsync()
        {
            var tokenizer = Tokenizer.Load(Fixtures.Haiku);
            var model = ModelLoader.Load(
                Fixtures.Haiku, CpuBackend.Create(new CpuOptions { Threads = 1 }),
                new ModelRunnerOptions { MaxBatchedTokens = 256, MaxSequences = 8, NumBlocks = 128 });
            var engine = new LlmEngine(
                model.Runner, tokenizer, new EngineOptions { Seed = 1, EosTokenIds = [.. model.Config.EosTokenIds] }, TimeProvider.System);
            var state = new ServingState(TimeProvider.System);
            var options = new ServerOptions("127.0.0.1", 0, 0, TimeSpan.FromSeconds(10));
            var server = await WorkerServer.StartAsync(
                options, state, "haiku", logging => logging.SetMinimumLevel(LogLevel.None), TimeProvider.System, CancellationToken.None);
            server.BecomeReady(new ServedModel(["haiku"], Fixtures.Haiku, engine, tokenizer, null, ["cpu"]));
            return new HaikuServer(server, engine);
        }

        public async ValueTask DisposeAsync()
        {
            await server.DisposeAsync();
            await engine.DisposeAsync();
        }
    }
}
