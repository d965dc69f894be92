using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Offline;

/// <summary><c>run-batch</c> as a process, which is killed in the middle and run again.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class RunBatchTests : IDisposable
{
    private const int NumRequests = 240;

    private readonly TemporaryFolder _folder = new();

    private string Input => Path.Combine(_folder.Path, "in.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_run_that_is_killed_is_gone_on_with_and_no_request_is_lost_or_doubled()
    {
        var cancel = TestContext.Current.CancellationToken;
        await File.WriteAllLinesAsync(Input, Enumerable.Range(0, NumRequests).Select(Request), cancel);
        var output = Path.Combine(_folder.Path, "out.jsonl");
        using (var first = Start(output))
        {
            await Eventually.True(() => Lines(output).Count > NumRequests / 8, "some of the answers");
            first.Kill();
            await first.WaitForExitAsync(cancel);
        }

        var left = Lines(output);
        Assert.InRange(left.Count, 1, NumRequests - 1);
        var second = await CommandLine.RunAsync(WorkerProcess.Program, Arguments(output));
        Assert.True(second.ExitCode == 0, second.All);
        Assert.Contains($"{NumRequests} requests, {left.Count} of them answered by earlier runs", second.Error, StringComparison.Ordinal);
        var answers = Lines(output);
        Assert.Equal(left, answers.Take(left.Count));
        Assert.Equal(
            Enumerable.Range(0, NumRequests).Select(Name).Order(StringComparer.Ordinal),
            answers.Select(line => (string)JsonNode.Parse(line)!["custom_id"]!).Order(StringComparer.Ordinal));

        // The same texts as a run that nobody disturbed.
        var whole = Path.Combine(_folder.Path, "whole.jsonl");
        Assert.Equal(0, (await CommandLine.RunAsync(WorkerProcess.Program, Arguments(whole))).ExitCode);
        Assert.Equal(Texts(Lines(whole)), Texts(Lines(output)));
    }

    [Fact]
    public async Task An_input_that_is_not_there_is_told_before_a_model_is_loaded()
    {
        var result = await CommandLine.RunAsync(WorkerProcess.Program, Arguments(Path.Combine(_folder.Path, "out.jsonl")));

        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith($"error: --input-file {Input}: there is no such file", result.Error, StringComparison.Ordinal);
    }

    private static string Name(int number) => $"request-{number.ToString("D4", CultureInfo.InvariantCulture)}";

    private static string Request(int number) => new JsonObject
    {
        ["custom_id"] = Name(number),
        ["method"] = "POST",
        ["url"] = number % 2 == 0 ? "/v1/completions" : "/v1/chat/completions",
        ["body"] = number % 2 == 0
            ? new JsonObject { ["model"] = "haiku-1m", ["prompt"] = $"The sea {number}", ["max_tokens"] = 64, ["seed"] = number }
            : new JsonObject
            {
                ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = $"Write a haiku about {number}" }),
                ["max_tokens"] = 64,
                ["seed"] = number,
            },
    }.ToJsonString();

    /// <summary>Whole lines: the last one may be half written.</summary>
    private static List<string> Lines(string file)
    {
        if (!File.Exists(file))
        {
            return [];
        }

        // The run has it open for itself; a lock on Linux is advice, which cp does not take.
        using var copy = Process.Start(new ProcessStartInfo("cat", [file]) { RedirectStandardOutput = true })!;
        var text = copy.StandardOutput.ReadToEnd();
        copy.WaitForExit();
        return [.. text.Split('\n')[..^1]];
    }

    /// <summary>What each request got, by its name.</summary>
    internal static SortedDictionary<string, string> Texts(IEnumerable<string> lines) => new(
        lines.Select(line => JsonNode.Parse(line)!).ToDictionary(
            answer => (string)answer["custom_id"]!,
            answer => answer["response"]!["body"]!["choices"]![0]!.ToJsonString()), StringComparer.Ordinal);

    private Process Start(string output) => Process.Start(
        new ProcessStartInfo(WorkerProcess.Program, Arguments(output)) { RedirectStandardError = true, RedirectStandardOutput = true })!;

    private string[] Arguments(string output) =>
        ["run-batch", "-i", Input, "-o", output, "--model", WorkerProcess.SampleModel, "--max-concurrency", "4", "--max-num-seqs", "4"];
}
