using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Cluster.EndToEnd.Tests.Load;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Faults;

/// <summary>Output that nothing has room for. Downloads are with their tests.</summary>
[Collection(LoadCollection.Name)]
public sealed class FullDiskTests
{
    private const int SigTerm = 15;
    private const string Full = "/dev/full";

    [Fact]
    public async Task A_worker_whose_log_cannot_be_written_serves_all_the_same()
    {
        Assert.SkipUnless(Path.Exists(Full), $"there is no {Full}");
        var port = FreePort.Next().ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo(
            "sh",
            ["-c", $"exec \"$@\" > {Full} 2> {Full}", "sh", WorkerProcess.Program, "serve", "--model", WorkerProcess.SampleModel, "--port",
                port, "--grpc-port", "0"])
        {
            RedirectStandardInput = true,
            Environment = { ["CLUSTER_LIFELINE"] = "stdin" },
        };
        using var process = Process.Start(start)!;
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        try
        {
            await Eventually.True(async () => process.HasExited || await IsReadyAsync(http), "it is ready");
            Assert.False(process.HasExited);
            using var answer = await http.PostAsJsonAsync("/v1/completions", new { prompt = "a", max_tokens = 4, ignore_eos = true });
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);

            _ = LocalOperator.Kill(process.Id, SigTerm);
            await process.WaitForExitAsync().WaitAsync(Eventually.Limit);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            process.Kill();
        }
    }

    [Theory]
    [InlineData("generate", "--prompt", "a", "--max-tokens", "4", "--model")]
    [InlineData("bench", "latency", "--input-len", "4", "--output-len", "2", "--num-iters", "1", "--num-iters-warmup", "0", "--model")]
    public async Task Output_that_cannot_be_written_is_an_error_in_one_line(params string[] arguments)
    {
        Assert.SkipUnless(Path.Exists(Full), $"there is no {Full}");
        var result = await CommandLine.RunAsync(
            "sh", ["-c", $"exec \"$@\" > {Full}", "sh", WorkerProcess.Program, .. arguments, WorkerProcess.SampleModel]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("error: No space left on device", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_benchmark_whose_result_has_no_room_says_so_and_keeps_the_last_result()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20);
        var file = Path.Combine(disk.Path, "result.json");
        await File.WriteAllTextAsync(file, "the last result");
        disk.Fill();

        var result = await CommandLine.RunAsync(
            WorkerProcess.Program,
            ["bench", "latency", "--input-len", "4", "--output-len", "2", "--num-iters", "1", "--num-iters-warmup", "0", "--output-json",
                file, "--model", WorkerProcess.SampleModel]);

        Assert.Equal(1, result.ExitCode);
        Assert.Matches(
            $"error: cannot write '{file}': the disk is full: \\d+ bytes are needed in {disk.Path}, 0 bytes are free", result.Error);
        Assert.Equal("the last result", await File.ReadAllTextAsync(file));
    }

    private static async Task<bool> IsReadyAsync(HttpClient http)
    {
        try
        {
            using var answer = await http.GetAsync("/ready");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
