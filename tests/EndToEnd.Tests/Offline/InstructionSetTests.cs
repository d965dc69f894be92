using System.Runtime.Intrinsics.X86;
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

    /// <summary>What the compiler does not inline there sends all sums of a tile to memory and back, and half of the speed with
    /// them.</summary>
    [Theory]
    [InlineData(null, "GemmKernels ScoreKernels ValueKernels", "vfmadd")]
    [InlineData("ct-w4a16", "SegmentKernels", "vfmadd")]
    [InlineData("ct-w8a8", "IntegerKernels", "vp")]
    public async Task The_innermost_loops_of_multiplications_and_attention_call_nothing(
        string? quantized, string classes, string instruction)
    {
        Assert.SkipUnless(Fma.IsSupported && OperatingSystem.IsLinux(), "kernels are read as they are compiled for AVX2");
        await File.WriteAllLinesAsync(Input, Enumerable.Range(0, 6).Select(Request), TestContext.Current.CancellationToken);
        var listing = Path.Combine(_folder.Path, "listing.txt");

        var model = quantized is null ? WorkerProcess.SampleModel
            : Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "goldens", "quantized", quantized);
        await RunAsync(
            "listed",
            new()
            {
                ["DOTNET_EnableAVX512"] = "0",
                ["DOTNET_JitDisasm"] = "Row Rows* Score? Accumulate?",
                ["DOTNET_JitStdOutFile"] = listing,
            },
            model);

        var methods = (await File.ReadAllTextAsync(listing, TestContext.Current.CancellationToken)).Split("; Assembly listing for method ");
        Assert.All(classes.Split(' '), name =>
        {
            var kernels = methods.Where(method => method.Split('\n')[0].Contains(name, StringComparison.Ordinal)).ToArray();
            Assert.Contains(kernels, kernel => kernel.Contains(instruction, StringComparison.Ordinal));
            Assert.All(kernels, kernel => Assert.DoesNotContain("call ", kernel, StringComparison.Ordinal));
        });
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

    private async Task<(string Log, SortedDictionary<string, string> Answers)> RunAsync(
        string name, Dictionary<string, string> environment, string? model = null)
    {
        var output = Path.Combine(_folder.Path, $"{name}.jsonl");
        var run = await CommandLine.RunAsync(
            WorkerProcess.Program,
            ["run-batch", "-i", Input, "-o", output, "--model", model ?? WorkerProcess.SampleModel, "--served-model-name", "haiku-1m"],
            environment);

        Assert.True(run.ExitCode == 0, run.All);
        return (run.Error, RunBatchTests.Texts(await File.ReadAllLinesAsync(output, TestContext.Current.CancellationToken)));
    }
}
