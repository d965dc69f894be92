using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.TensorParallel;

[Collection(TensorParallelCollection.Name)]
public sealed class ServingTests
{
    private const int SigInt = 2;
    private const int SigTerm = 15;

    [Fact]
    public async Task Two_replicas_on_two_GPUs_each_answer_alike()
    {
        var result = await CommandLine.RunAsync(
            LocalOperator.Program, ["local", "-f", Path.Combine(RepositoryRoot.Path, "deploy", "samples", "haiku-tp2.yaml"), "--once"]);

        Assert.True(result.ExitCode == 0, result.All);
        // Both replicas and the gateway.
        Assert.Equal(3, result.Output.Split(Haiku.Text).Length - 1);
        Assert.Contains(" 0,1 ", result.Output, StringComparison.Ordinal);
        Assert.Contains(" 2,3 ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signals_end_it_as_they_end_a_worker_of_one_process()
    {
        await using var ranked = await RankedWorker.StartAsync(2, "--shutdown-timeout", "100");
        using var http = new HttpClient { BaseAddress = ranked.Worker.Http };
        var answer = http.PostAsJsonAsync("/v1/completions", new { prompt = "a", max_tokens = 1500, ignore_eos = true, temperature = 0 });
        Assert.True(await Eventually.IsTrueAsync(async () => await ranked.Worker.MetricAsync("vllm:num_requests_running") == 1));

        // A terminal and some supervisors signal all processes of a group; only rank 0 knows what to finish first.
        _ = LocalOperator.Kill(ranked.Ranks[0], SigInt);
        _ = LocalOperator.Kill(ranked.Ranks[0], SigTerm);
        ranked.Worker.Terminate();

        using var response = await answer;
        var body = await response.Content.ReadFromJsonAsync<JsonNode>();
        Assert.Equal(1500, (int)body!["usage"]!["completion_tokens"]!);
        Assert.Equal(0, await ranked.Worker.ExitAsync());
        await ranked.AssertNothingIsLeftAsync();
    }

    [Theory]
    [InlineData(3, null, "tensor-parallel-size 3 does not divide 4 attention heads; possible here: 1, 2, 4")]
    [InlineData(4, "0,1", "--tensor-parallel-size 4 needs 4 device(s), but ROCR_VISIBLE_DEVICES='0,1' shows 2")]
    public async Task What_cannot_be_is_one_line_with_the_numbers(int size, string? devices, string expected)
    {
        var environment = new Dictionary<string, string>();
        if (devices is not null)
        {
            environment["ROCR_VISIBLE_DEVICES"] = devices;
        }

        var result = await CommandLine.RunAsync(
            WorkerProcess.Program, ["generate", "--model", WorkerProcess.SampleModel, "--prompt", "a", "--tensor-parallel-size", $"{size}"],
            environment);

        Assert.Equal((1, $"error: {expected}"), (result.ExitCode, result.Error.Trim()));
    }

    [Fact]
    public async Task Too_little_shared_memory_is_one_line_and_leaves_nothing()
    {
        Assert.SkipUnless(
            (await CommandLine.RunAsync("unshare", ["-m", "true"])).ExitCode == 0,
            "a /dev/shm of one's own needs the right to unshare mounts");
        const string Script = """mount -t tmpfs -o size=64k tmpfs /dev/shm && "$0" "$@"; status=$?; ls -A /dev/shm; exit $status""";

        var result = await CommandLine.RunAsync(
            "unshare",
            ["-m", "sh", "-c", Script, WorkerProcess.Program, "serve", "--model", WorkerProcess.SampleModel, "--tensor-parallel-size", "2",
                "--port", "0", "--grpc-port", "0"]);

        Assert.Equal(1, result.ExitCode);
        Assert.Matches(
            @"^error: /dev/shm is too small: 2 ranks need \d+ bytes of shared memory, 65536 are free; [^\n]*$", result.Error.Trim());
        Assert.DoesNotContain("cluster-ranks", result.Output, StringComparison.Ordinal);
    }
}
