using Cluster.Worker.Compute.Ilgpu.Compile;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>A worker whose ranks are processes with a fake GPU each, as in a pod.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class RankProcessesTests : IDisposable
{
    private static readonly string Worker = Path.Combine(AppContext.BaseDirectory, "cluster-worker");

    private readonly FakeGpu _gpu = FakeGpu.Cuda();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _gpu.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Ranks_talk_through_the_library_with_the_channels_that_the_pod_was_given()
    {
        var run = await GenerateAsync(hasLibrary: true);
        var log = await File.ReadAllTextAsync(Log, TestContext.Current.CancellationToken);

        Assert.Contains("ranks talk from GPU to GPU through libnccl.so.2", run.Error);
        Assert.Contains("are captured as graphs", run.Error);
        Assert.Matches("ranks: rank 0 of 2 on device 0, NCCL_MIN_NCHANNELS 112", log);
        Assert.Matches("ranks: rank 1 of 2 on device 1, NCCL_MIN_NCHANNELS 112", log);
        Assert.Matches("ranks: rank 1 leaves after [1-9][0-9]* replays", log);
        Assert.DoesNotContain("complaint", log);
    }

    [Fact]
    public async Task Without_the_library_ranks_talk_through_the_host_and_a_line_says_so()
    {
        var run = await GenerateAsync(hasLibrary: false);

        Assert.Contains("ranks talk through the host: tensor parallelism over GPUs needs libnccl.so.2", run.Error);
        Assert.Contains("decode steps are launched kernel by kernel (ranks talk through the host)", run.Error);
        Assert.False(File.Exists(Log) && (await File.ReadAllTextAsync(Log, TestContext.Current.CancellationToken)).Contains("complaint"));
    }

    private string Log => Path.Combine(_folder.Path, "gpu.log");

    /// <summary>Two ranks write what one processor writes.</summary>
    private async Task<CommandResult> GenerateAsync(bool hasLibrary)
    {
        File.Copy(_gpu.LibraryPath, Path.Combine(_folder.Path, "libcuda.so.1"));
        if (hasLibrary)
        {
            // The same file is the same library, with one state.
            File.CreateSymbolicLink(Path.Combine(_folder.Path, "libnccl.so.2"), "libcuda.so.1");
        }

        string[] arguments =
        [
            "generate", "--model", Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m"), "--prompt", "The sea",
            "--max-tokens", "6", "--max-model-len", "64",
        ];
        var expected = await CommandLine.RunAsync(Worker, [.. arguments, "--device", "cpu"]);
        Assert.True(expected.ExitCode == 0, expected.All);
        var run = await CommandLine.RunAsync(
            Worker, [.. arguments, "--device", "cuda", "--tensor-parallel-size", "2"],
            new Dictionary<string, string>
            {
                ["LD_LIBRARY_PATH"] = _folder.Path,
                ["FAKE_RANKS"] = "processes",
                ["FAKE_GPU_DEVICES"] = "2",
                ["FAKE_GPU_LOG"] = Log,
                ["NCCL_MIN_NCHANNELS"] = "112",
                [KernelCache.Variable] = Path.Combine(_folder.Path, "kernels"),
            },
            timeout: TimeSpan.FromMinutes(10));

        Assert.True(run.ExitCode == 0, run.All);
        Assert.Equal(expected.Output, run.Output);
        return run;
    }
}
