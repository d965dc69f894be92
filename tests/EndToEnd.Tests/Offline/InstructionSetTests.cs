using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Offline;

/// <summary>Processes that may use fewer of the processor's instructions, as on older machines: each gives the same tokens, and the same
/// log-probabilities to the last digit.</summary>
public sealed class InstructionSetTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Input => Path.Combine(_folder.Path, "in.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Answers_are_the_same_with_AVX_512_with_AVX2_and_with_neither()
    {
        await File.WriteAllLinesAsync(Input, Enumerable.Range(0, 6).Select(Request), TestContext.Current.CancellationToken);

        var all = await RunAsync("all", []);
        var avx2 = await RunAsync("avx2", new() { ["DOTNET_EnableAVX512"] = "0" });
        var none = await RunAsync("none", new() { ["DOTNET_EnableAVX2"] = "0" });

        Assert.DoesNotContain("AVX-512", avx2.Log, StringComparison.Ordinal);
        Assert.Contains("device scalar", none.Log, StringComparison.Ordinal);
        Assert.Contains("top_logprobs", string.Concat(all.Answers.Values), StringComparison.Ordinal);
        Assert.Equal(all.Answers, avx2.Answers);
        Assert.Equal(all.Answers, none.Answers);
    }

    private static string Request(int number) => new JsonObject
    {
        ["custom_id"] = $"request-{number}",
        ["method"] = "POST",
        ["url"] = "/v1/completions",
        ["body"] = new JsonObject
        {
            ["model"] = "haiku-1m",
            ["prompt"] = $"The sea {number}",
            ["max_tokens"] = 24,
            ["seed"] = number,
            ["logprobs"] = 3,
        },
    }.ToJsonString();

    private async Task<(string Log, SortedDictionary<string, string> Answers)> RunAsync(string name, Dictionary<string, string> environment)
    {
        var output = Path.Combine(_folder.Path, $"{name}.jsonl");
        var run = await CommandLine.RunAsync(
            WorkerProcess.Program, ["run-batch", "-i", Input, "-o", output, "--model", WorkerProcess.SampleModel], environment);

        Assert.True(run.ExitCode == 0, run.All);
        return (run.Error, RunBatchTests.Texts(await File.ReadAllLinesAsync(output, TestContext.Current.CancellationToken)));
    }
}
