using System.Text.Json.Nodes;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Benchmarking;

/// <summary><c>bench latency</c> and <c>bench throughput</c> on the sample model, from the command line to the JSON file.</summary>
public sealed class BenchOfflineCommandTests
{
    private static readonly string[] Small = [
        "--model", Fixtures.Haiku, "--cpu-threads", "1", "--max-num-seqs", "4", "--max-model-len", "64"];

    [Fact]
    public async Task Latency_reports_each_iteration_that_counts()
    {
        var result = await RunAsync(
            "latency", "--batch-size", "2", "--input-len", "8", "--output-len", "4", "--num-iters-warmup", "1", "--num-iters", "5");

        var latencies = result["latencies"]!.AsArray().Select(latency => (double)latency!).ToArray();
        Assert.Equal(5, latencies.Length);
        Assert.Equal(latencies.Average(), (double)result["avg_latency"]!, 1e-12);
        Assert.Equal(latencies.Order().ElementAt(2), (double)result["percentiles"]!["50"]!);
        Assert.Equal(["10", "25", "50", "75", "90", "99"], result["percentiles"]!.AsObject().Select(field => field.Key));
    }

    [Theory, InlineData("latency"), InlineData("throughput")]
    public async Task A_profile_tells_operations_and_time_of_both_kinds_of_steps(string kind)
    {
        var result = kind == "latency"
            ? await RunAsync(
                kind, "--batch-size", "2", "--input-len", "8", "--output-len", "4", "--num-iters-warmup", "1", "--num-iters", "2",
                "--profile")
            : await RunAsync(kind, "--num-prompts", "2", "--input-len", "8", "--output-len", "4", "--profile");

        foreach (var step in new[] { "prefill", "decode" })
        {
            var table = result["profile"]![step]!;
            Assert.False((bool)table["computed"]!);
            Assert.True((int)table["steps"]! > 0);
            var attention = table["operations"]!.AsArray().Single(o => (string?)o!["name"] == "attention")!;
            Assert.Equal(5 * (int)table["steps"]!, (int)attention["calls"]!);
            Assert.True((double)attention["seconds"]! > 0 && (double)attention["bytes"]! > 0);
        }
    }

    [Theory]
    [InlineData("llama-8b", 32, 8.03e9)]
    [InlineData("llama-70b", 80, 70.55e9, Traits = [Category.Name, Category.Long])]
    public async Task A_dry_run_counts_launches_and_bytes_without_the_weights(string model, int layers, double parameters)
    {
        var result = await RunOfAsync(
            $"synthetic:{model}", "latency", "--batch-size", "1", "--input-len", "1000", "--profile", "--dry-run");

        var decode = result["profile"]!["decode"]!;
        Assert.True((bool)decode["computed"]!);
        var operations = decode["operations"]!.AsArray();
        Assert.Equal(layers, (int)operations.Single(o => (string?)o!["name"] == "attention")!["calls"]!);
        Assert.True(operations.Sum(o => (int)o!["launches"]!) >= 5 * layers);

        // A step of one token reads every weight but the embedding table once, in bf16, and the keys and values of 1001 tokens.
        var weights = operations.Where(o => ((string)o!["name"]!).StartsWith("linear", StringComparison.Ordinal))
            .Sum(o => (double)o!["bytes"]!);
        var embedding = 128256.0 * (layers == 32 ? 4096 : 8192);
        Assert.Equal(2 * (parameters - embedding), weights, 0.02 * weights);
        var attention = (double)operations.Single(o => (string?)o!["name"] == "attention")!["bytes"]!;
        Assert.Equal(1001.0 * layers * 2 * 8 * 128 * 2, attention, 0.05 * attention);
    }

    [Fact]
    public async Task Throughput_counts_requests_and_tokens_and_measures_the_ceilings()
    {
        var result = await RunAsync("throughput", "--num-prompts", "6", "--input-len", "12", "--output-len", "5");

        Assert.Equal(6, (int)result["num_requests"]!);
        Assert.Equal(6 * 17, (int)result["total_num_tokens"]!);
        Assert.Equal(6 / (double)result["elapsed_time"]!, (double)result["requests_per_second"]!, 1e-9);
        foreach (var field in new[]
        {
            "prefill_gflops_per_second",
            "decode_gigabytes_per_second",
            "ceiling_gflops_per_second",
            "ceiling_gigabytes_per_second"
        })
        {
            Assert.True((double)result[field]! > 0, field);
        }
    }

    [Fact]
    public async Task Throughput_takes_a_poem_and_the_models_own_tokenizer()
    {
        var poem = Path.GetTempFileName();
        try
        {
            await File.WriteAllLinesAsync(
                poem, ["The sea is wide", "the moon is bright", "a small boat sails"], TestContext.Current.CancellationToken);

            var result = await RunAsync(
                "throughput", "--dataset-name", "sonnet", "--dataset-path", poem, "--num-prompts", "2", "--input-len", "50", "--prefix-len",
                "40", "--output-len", "3");

            Assert.InRange((int)result["total_num_tokens"]!, 2 * (40 + 3), 2 * (61 + 3));
        }
        finally
        {
            File.Delete(poem);
        }
    }

    [Theory]
    [InlineData("throughput", "--num-prompts", "3")]
    [InlineData("throughput", "--input-len", "0", "--output-len", "3")]
    [InlineData("latency", "--num-iters", "0")]
    public async Task A_wrong_command_line_is_refused(string command, params string[] options) =>
        Assert.Equal(2, await Program.Main(["bench", command, .. Small, .. options]));

    [Fact]
    public async Task Prompts_the_model_cannot_hold_fail_the_command() =>
        Assert.Equal(1, await Program.Main(["bench", "latency", .. Small, "--input-len", "65"]));

    [Fact]
    public void A_report_divides_by_time_and_by_the_ceilings()
    {
        var prefill = new StepTotals(Steps: 2, Rows: 100, Seconds: 1, Bytes: 0, Operations: 25e9);
        var decode = new StepTotals(Steps: 10, Rows: 40, Seconds: 4, Bytes: 32e9, Operations: 4e9);

        string Text(PeakRates? peaks) =>
            new ThroughputReport(new OfflineRun(5, 100, 50), 10, (prefill, decode, 0.1), new Ceilings(100, 16), peaks).Text();

        var text = Text(PeakRates.Of(new Ceilings(100, 16)));

        Assert.Contains("Throughput: 2.00 requests/s, 30.00 total tokens/s, 10.00 output tokens/s", text);
        Assert.Contains("2 steps, 100.0 tokens/s, 25.0 GFLOP/s = 25 % of the 100.0 measured", text);
        Assert.Contains("10 steps, 10.0 tokens/s, 8.0 GB/s = 50 % of the 16.0 measured, 1.0 GFLOP/s = 1 %", text);
        Assert.Contains("2.0 % of the model's time", text);
        Assert.Contains("8.0 GB/s = 0 % of MI300X, 5.3 TB/s, 1.3 PFLOP/s bf16, ", Text(PeakRates.Mi300X));
        Assert.Contains("2 steps, 100.0 tokens/s, 25.0 GFLOP/s\n", Text(null).ReplaceLineEndings("\n"));
    }

    private static Task<JsonNode> RunAsync(string command, params string[] options) => RunWithAsync([command, .. Small, .. options]);

    private static Task<JsonNode> RunOfAsync(string model, string command, params string[] options) =>
        RunWithAsync([command, "--model", model, .. options]);

    private static async Task<JsonNode> RunWithAsync(string[] line)
    {
        var folder = Directory.CreateTempSubdirectory("bench-");
        try
        {
            var file = Path.Combine(folder.FullName, "out", "result.json");
            Assert.Equal(0, await Program.Main(["bench", .. line, "--output-json", file]));
            return JsonNode.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken))!;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
