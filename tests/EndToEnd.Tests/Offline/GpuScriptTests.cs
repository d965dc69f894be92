using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Offline;

/// <summary><c>tests/Benchmarks/gpu.sh</c> on the processor: the same call that measures a GPU. That the published worker keeps to its size
/// is held by <c>.ci/run</c>, which publishes it.</summary>
public sealed class GpuScriptTests
{
    private static readonly string Script = Path.Combine(RepositoryRoot.Path, "tests", "Benchmarks", "gpu.sh");

    [Fact]
    public async Task One_call_lists_devices_checks_references_and_prints_a_table()
    {
        using var folder = new TemporaryFolder();
        var table = Path.Combine(folder.Path, "table");
        var result = await CommandLine.RunAsync(
            "bash", [Script, "--device", "cpu", "--quick", "--goldens", "2", "--out", table],
            new Dictionary<string, string> { ["CLUSTER_WORKER"] = WorkerProcess.Program });

        Assert.True(result.ExitCode == 0, result.All);
        Assert.Contains("== devices", result.Output, StringComparison.Ordinal);
        var lines = await File.ReadAllLinesAsync(table, TestContext.Current.CancellationToken);
        Assert.Contains(lines, line => line.EndsWith("peaks: measured in this run", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("reference results", StringComparison.Ordinal)
            && line.EndsWith("2 passed, 0 missed", StringComparison.Ordinal));
        foreach (var (name, pattern) in new[]
        {
            ("decode, 1 sequence", "[0-9.]+ tokens/s, [0-9.]+ GB/s, [0-9]+ % of [0-9]+ GB/s$"),
            ("prefill", "[0-9.]+ tokens/s, [0-9.]+ GFLOP/s, [0-9]+ % of [0-9]+ GFLOP/s$"),
            ("256 sequences", "[1-9][0-9.]* output tokens/s$"),
        })
        {
            Assert.Matches(pattern, Assert.Single(lines, line => line.StartsWith(name, StringComparison.Ordinal)));
        }

        Assert.Single(lines, line => line.StartsWith("PyTorch", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--devise", "unknown option --devise")]
    [InlineData("--model", "--model needs a value")]
    public async Task A_wrong_call_is_refused_by_name(string option, string expected)
    {
        var result = await CommandLine.RunAsync("bash", [Script, option], new Dictionary<string, string>());
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }
}
