using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>The sample model by way of the hub, from the command line.</summary>
[Trait(Category.Name, Category.Slow)]
public class HubCommandTests
{
    private const string Token = "hf_secret-of-the-test";

    [Fact]
    public async Task Generate_downloads_the_model_and_writes_the_haiku()
    {
        await using var test = await HaikuHubAsync();
        test.Hub.Token = Token;
        var expected = JsonNode.Parse(File.ReadAllBytes(Fixtures.HaikuExpected))!["chat"]![0]!;

        for (var run = 0; run < 2; run++)
        {
            await using var worker = new WorkerProcess(
                test, "generate", "--model", "hf://test/model@main", "--chat", "--prompt", (string)expected["messages"]![0]!["content"]!,
                "--max-tokens", "64");
            var (exitCode, output, errors) = await worker.EndAsync(TestContext.Current.CancellationToken);

            Assert.True(exitCode == 0, errors);
            Assert.Equal((string)expected["text"]!, output);
            Assert.Equal(run == 0, errors.Contains("downloading test/model: 100 %", StringComparison.Ordinal));
            Assert.DoesNotContain(Token, errors, StringComparison.Ordinal);
        }

        Assert.Single(test.RequestsAtStorage);
        Assert.Equal(FakeHub.Commit, File.ReadAllText(Path.Combine(test.RepositoryFolder, "refs", "main")));
    }

    [Fact]
    public async Task Fetch_fills_the_cache_and_says_where_the_model_is()
    {
        await using var test = await HaikuHubAsync();
        for (var run = 0; run < 2; run++)
        {
            await using var worker = new WorkerProcess(test, "fetch", "hf://test/model@main", Fixtures.Haiku);
            var (exitCode, output, errors) = await worker.EndAsync(TestContext.Current.CancellationToken);

            Assert.True(exitCode == 0, errors);
            Assert.Equal(
                [$"hf://test/model@main is in {test.SnapshotFolder}", $"{Fixtures.Haiku} is in {Fixtures.Haiku}"],
                output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }

        Assert.Single(test.RequestsAtStorage);
    }

    [Fact]
    public async Task Fetch_fails_where_the_hub_has_no_such_model_or_a_folder_is_not_whole()
    {
        await using var test = await HaikuHubAsync();
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, "config.json"), "{}");
        foreach (var (model, reason) in new[]
        {
            ("hf://test/other", "test/other"), (folder.Path, "is no whole checkpoint: model.safetensors is missing"),
        })
        {
            await using var worker = new WorkerProcess(test, "fetch", model);
            var (exitCode, output, errors) = await worker.EndAsync(TestContext.Current.CancellationToken);

            Assert.Equal((1, ""), (exitCode, output));
            Assert.Contains(reason, errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Serve_answers_probes_while_it_downloads_and_becomes_ready_after()
    {
        var cancellation = TestContext.Current.CancellationToken;
        await using var test = await HaikuHubAsync();
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        test.InterfereWithWeights(async (_, context) =>
        {
            asked.SetResult();
            await release.Task;
            await test.Hub.SendAsync(context, test.WeightBytes);
        });

        await using var worker = new WorkerProcess(test, "serve", "--model", "test/model", "--port", "0", "--grpc-port", "0");
        var address = new Uri(Regex.Match(await worker.LineAsync("listening: HTTP", cancellation), @"HTTP (\S+)").Groups[1].Value);
        using var client = new HttpClient { BaseAddress = address };
        await asked.Task.WaitAsync(cancellation);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("health", cancellation)).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.GetAsync("ready", cancellation)).StatusCode);

        release.SetResult();
        await worker.LineAsync("ready: serving test/model", cancellation);

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("ready", cancellation)).StatusCode);
        worker.Stop();
        var (exitCode, _, errors) = await worker.EndAsync(cancellation);
        Assert.True(exitCode == 0, errors);
    }

    [Fact]
    public async Task Serve_can_be_stopped_while_it_downloads()
    {
        var cancellation = TestContext.Current.CancellationToken;
        await using var test = await HaikuHubAsync();
        test.InterfereWithWeights(
            (_, context) => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default));

        await using var worker = new WorkerProcess(test, "serve", "--model", "test/model", "--port", "0", "--grpc-port", "0");
        await worker.LineAsync("downloading", cancellation);
        worker.Stop();

        Assert.Equal(0, (await worker.EndAsync(cancellation)).ExitCode);
    }

    [Fact]
    public async Task A_port_that_is_taken_ends_serve_at_once_also_while_it_downloads()
    {
        var cancellation = TestContext.Current.CancellationToken;
        await using var test = await HaikuHubAsync();
        test.InterfereWithWeights(
            (_, context) => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default));
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;

        await using var worker = new WorkerProcess(
            test, "serve", "--model", "test/model", "--host", "127.0.0.1", "--port", $"{port}", "--grpc-port", "0");
        var (exitCode, output, errors) = await worker.EndAsync(cancellation);

        Assert.Equal(1, exitCode);
        Assert.Matches($"^error: .*{port}", errors.Trim().Split('\n')[^1]);
        Assert.DoesNotContain("listening", output, StringComparison.Ordinal);
    }

    /// <summary>The last line is what a pod's termination message shows, and with it the deployment's status.</summary>
    [Fact]
    public async Task A_disk_that_fills_while_serve_downloads_ends_it_with_file_and_numbers_and_the_next_start_goes_on()
    {
        var cancellation = TestContext.Current.CancellationToken;
        await using var disk = await SmallDisk.MountAsync(16 << 20);
        await using var test = await HaikuHubAsync(disk.Path);

        // Whole pages: a page that is begun takes more bytes also on a full disk.
        var half = test.WeightBytes.Length / 2 / 4096 * 4096;
        test.InterfereWithWeights(async (_, context) =>
        {
            context.Response.ContentLength = test.WeightBytes.Length;
            await context.Response.Body.WriteAsync(test.WeightBytes.AsMemory(0, half), cancellation);
            await context.Response.Body.FlushAsync(cancellation);
            await Eventually.True(() => new FileInfo(test.PartialPath) is { Exists: true } file && file.Length == half, "half is there");
            disk.Fill();
            await context.Response.Body.WriteAsync(test.WeightBytes.AsMemory(half), cancellation);
        });

        await using (var worker = new WorkerProcess(test, "serve", "--model", "test/model", "--port", "0", "--grpc-port", "0"))
        {
            var (exitCode, _, errors) = await worker.EndAsync(cancellation);
            Assert.Equal(1, exitCode);
            Assert.Matches(
                $"^error: .*: 'model.safetensors' stopped after {half} of {test.WeightBytes.Length} bytes: the disk is full: .* are needed "
                + $"in {test.RepositoryFolder}/blobs, 0 bytes are free; make room",
                errors.Trim().Split('\n')[^1]);
        }

        test.AssertWeightsAreInvisible();
        disk.MakeRoom();
        await using var next = new WorkerProcess(test, "serve", "--model", "test/model", "--port", "0", "--grpc-port", "0");
        await next.LineAsync("ready: serving test/model", cancellation);
        next.Stop();
        Assert.Equal(0, (await next.EndAsync(cancellation)).ExitCode);
        test.AssertWeightsAreWhole();
        Assert.Equal(half, test.RequestsAtStorage[^1].From);
    }

    [Fact]
    public async Task A_repository_that_does_not_exist_is_one_line_of_error()
    {
        await using var test = await HaikuHubAsync();

        await using var worker = new WorkerProcess(test, "generate", "--model", "test/other", "--prompt", "x");
        var (exitCode, _, errors) = await worker.EndAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, exitCode);
        Assert.Equal(
            $"error: {test.Hub.Address}api/models/test/other/revision/main?blobs=true: there is no repository test/other, or it is "
            + $"private (404): check the name, or set HF_TOKEN to a token that may read it",
            errors.Trim());
    }

    private static async Task<HubTest> HaikuHubAsync(string? disk = null)
    {
        var test = await HubTest.StartAsync(File.ReadAllBytes(Path.Combine(Fixtures.Haiku, HubTest.Weights)), disk);
        foreach (var file in Directory.EnumerateFiles(Fixtures.Haiku).Where(file => Path.GetFileName(file) != HubTest.Weights))
        {
            test.Hub.Add(Path.GetFileName(file), File.ReadAllBytes(file));
        }

        return test;
    }
}
