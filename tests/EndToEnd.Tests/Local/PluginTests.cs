using System.Diagnostics;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Operator.Local.Kubelet;

namespace Cluster.EndToEnd.Tests.Local;

/// <summary>A real kubectl with our plugin, against local mode with real workers.</summary>
[Collection(SampleClusterCollection.Name)]
public sealed partial class PluginTests(SampleCluster cluster)
{
    private const string Sample = "haiku";

    [Fact]
    public async Task Top_shows_every_replica_with_its_place_and_its_load()
    {
        await cluster.KubectlOutputAsync("mdep", "chat", Sample, "--once", Haiku.Prompt);
        var table = await cluster.KubectlOutputAsync("mdep", "top", "-A", "-o", "wide");
        var json = JsonNode.Parse(await cluster.KubectlOutputAsync("mdep", "top", Sample, "-o", "json"))!;

        Assert.StartsWith("NAMESPACE   DEPLOYMENT   REPLICA", table, StringComparison.Ordinal);
        var rows = json["items"]!.AsArray();
        Assert.Equal(2, rows.Count);
        Assert.All(rows, row =>
        {
            Assert.Equal(("local", "ready"), ((string)row!["node"]!, (string)row["state"]!));
            Assert.Single(row["gpus"]!.AsArray());
            Assert.InRange((double)row["load"]!["kvCacheUsage"]!, 0, 1);
            Assert.Contains((string)row["replica"]!, table, StringComparison.Ordinal);
        });
        Assert.Contains(
            rows.Select(row => row!["load"]!),
            load => (int)load["requests"]! > 0 && (double?)load["meanFirstTokenMilliseconds"] > 0 && load["prefixHitRate"] is not null);
    }

    [Fact]
    public async Task Chat_once_prints_the_answer_that_the_worker_gives()
    {
        var once = await cluster.KubectlOutputAsync("mdep", "chat", Sample, "--once", Haiku.Prompt, "--temperature", "0");
        var piped = await cluster.KubectlAsync(Haiku.Prompt + "\n", "mdep", "chat", Sample, "--temperature", "0");
        var direct = await cluster.KubectlOutputAsync(
            "mdep", "chat", Sample, "--address", cluster.Local.HttpEndpoints[0], "--once", Haiku.Prompt, "--temperature", "0");

        Assert.Equal(Haiku.Text + "\n", once);
        Assert.Equal((0, once), (piped.ExitCode, piped.Output));
        Assert.Equal(once, direct);
    }

    [Fact]
    public async Task A_conversation_in_a_terminal_goes_on_after_Ctrl_C()
    {
        using CancellationTokenSource late = new(TimeSpan.FromMinutes(2));
        using var terminal = Terminal.Open();
        ProcessStartInfo start = new(await NodePackages.KubectlAsync(), ["mdep", "chat", Sample, "--temperature", "0"])
        {
            WorkingDirectory = RepositoryRoot.Path,
        };
        foreach (var (name, value) in cluster.Environment())
        {
            start.Environment[name] = value;
        }

        using var chat = Process.Start(terminal.Inside(start))!;
        var prompts = 0;
        StringBuilder seen = new();
        Pipe typing = new();
        var typed = terminal.TypeAsync(typing.Reader.AsStream(), late.Token);
        var read = terminal.ReadAsync(
            async bytes =>
            {
                seen.Append(Encoding.UTF8.GetString(bytes.Span));
                if (seen.ToString().EndsWith("> ", StringComparison.Ordinal))
                {
                    // Ctrl-C where nothing is being said, a question, and the end.
                    var next = prompts++ switch { 0 => "\u0003", 1 => $"{Haiku.Prompt}\r", _ => "/exit\r" };
                    await typing.Writer.WriteAsync(Encoding.UTF8.GetBytes(next), late.Token);
                }
            },
            chat.WaitForExitAsync(late.Token), late.Token);
        await chat.WaitForExitAsync(late.Token);
        await read;
        await typing.Writer.CompleteAsync();
        await typed;

        var output = seen.ToString().Replace("\r", "", StringComparison.Ordinal);
        Assert.True(chat.ExitCode == 0, output);
        Assert.Contains("/exit or Ctrl-D ends", output, StringComparison.Ordinal);
        Assert.Contains(Haiku.Text, output, StringComparison.Ordinal);
        Assert.Contains("tokens/s", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_tells_places_and_what_would_fit_if()
    {
        var models = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models");
        var now = await cluster.KubectlOutputAsync("mdep", "explain", Sample, "--models", models);
        var more = JsonNode.Parse(
            await cluster.KubectlOutputAsync("mdep", "explain", Sample, "--what-if", "replicas=1,tp=16", "-o", "json"))!;
        var placements = JsonNode.Parse(await cluster.KubectlOutputAsync("get", "mdep", Sample, "-o", "json"))!["status"]!["placements"]!;

        foreach (var placement in placements.AsArray())
        {
            Assert.Contains(
                $"{placement!["pod"]}  node local, GPU {placement["gpus"]![0]}, ready", now, StringComparison.Ordinal);
        }

        Assert.Contains("node local is the only one that fits it", now, StringComparison.Ordinal);
        Assert.Contains("would fit, if it began anew", now, StringComparison.Ordinal);
        Assert.Contains("1 GPU per replica", now, StringComparison.Ordinal);
        var what = more["whatIf"]!;
        Assert.Equal(0, (int)what["fits"]!);
        Assert.Contains("even an empty node has at most 8", (string)what["shortage"]!["message"]!, StringComparison.Ordinal);
        Assert.Equal("1", await cluster.KubectlOutputAsync("get", "mdep", Sample, "-o", "jsonpath={.spec.tensorParallelSize}"));
    }

    [Fact]
    public async Task Logs_are_those_of_all_replicas_each_line_with_its_pod()
    {
        var text = "";
        Assert.True(
            await Eventually.IsTrueAsync(async () =>
            {
                text = await cluster.KubectlOutputAsync("mdep", "logs", Sample);
                return ReadyLine().Matches(text).Select(match => match.Groups[1].Value).Distinct().Count() == 2;
            }), text);
        Assert.All(
            text.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => Assert.StartsWith($"[{Sample}-", line, StringComparison.Ordinal));
        var tail = await cluster.KubectlOutputAsync("mdep", "logs", Sample, "--tail", "1");
        Assert.Equal(2, tail.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        var previous = await cluster.KubectlAsync(null, "mdep", "logs", Sample, "--previous");
        Assert.Equal(1, previous.ExitCode);
        Assert.Contains("no replica of haiku has a log of a run before the present one", previous.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logs_go_on_with_a_replica_that_comes_later()
    {
        const string Name = "followed";
        var applied = await cluster.KubectlAsync(
            $$"""
            apiVersion: serving.cluster.sh/v1alpha1
            kind: ModelDeployment
            metadata: {name: {{Name}}}
            spec: {model: {source: 'file:///models/haiku-1m'}, replicas: 1}
            """, "apply", "-f", "-");
        Assert.True(applied.ExitCode == 0, applied.All);
        var start = new ProcessStartInfo(await NodePackages.KubectlAsync(), ["mdep", "logs", Name, "-f"])
        {
            RedirectStandardOutput = true,
        };
        foreach (var (name, value) in cluster.Environment())
        {
            start.Environment[name] = value;
        }

        using var following = Process.Start(start)!;
        try
        {
            HashSet<string> ready = new(StringComparer.Ordinal);
            using CancellationTokenSource late = new(TimeSpan.FromMinutes(2));
            while (ready.Count < 2)
            {
                var line = await following.StandardOutput.ReadLineAsync(late.Token);
                Assert.NotNull(line);
                if (ReadyLine().Match(line) is { Success: true } match && ready.Add(match.Groups[1].Value) && ready.Count == 1)
                {
                    await cluster.KubectlOutputAsync("scale", "mdep", Name, "--replicas=2");
                }
            }
        }
        finally
        {
            following.Kill(entireProcessTree: true);
            await cluster.KubectlOutputAsync("delete", "mdep", Name, "--timeout=60s");
        }
    }

    [Fact]
    public async Task Bench_prints_the_figures_of_bench_serve()
    {
        string[] load = [
            "mdep", "bench", Sample, "--num-prompts", "6", "--random-input-len", "16", "--random-output-len", "4", "--ignore-eos"];
        var table = await cluster.KubectlOutputAsync([.. load, "--metric-percentiles", "50,99"]);
        var json = JsonNode.Parse(await cluster.KubectlOutputAsync([.. load, "--max-concurrency", "2", "-o", "json"]))!["items"]![0]!;

        Assert.Contains(" Serving Benchmark Result ", table, StringComparison.Ordinal);
        Assert.Matches("Successful requests: +6", table);
        Assert.Matches("P99 ITL \\(ms\\):", table);
        Assert.Equal((6, 0, 6 * 16, 6 * 4), (
            (int)json["completed"]!, (int)json["failed"]!, (int)json["total_input_tokens"]!, (int)json["total_output_tokens"]!));
        Assert.Equal(2, json["servers"]!.AsArray().Count);
        Assert.True((double)json["output_throughput"]! > 0);
    }

    [Fact]
    public async Task A_name_that_is_not_there_and_a_shell_that_completes_one_are_answered()
    {
        var wrong = await cluster.KubectlAsync(null, "mdep", "explain", "haikus");
        var commands = await cluster.KubectlAsync(null, "__complete", "mdep", "");

        Assert.Equal(1, wrong.ExitCode);
        Assert.Contains(
            "there is no ModelDeployment 'haikus' in namespace 'default'; there", wrong.Error, StringComparison.Ordinal);

        // A completion gives up on a cluster that is slow to answer.
        Assert.True(
            await Eventually.IsTrueAsync(
                async () => (await cluster.KubectlAsync(null, "__complete", "mdep", "explain", "hai")).Output
                    .StartsWith("haiku\n:4", StringComparison.Ordinal)));
        Assert.StartsWith("bench\nchat\nexplain\nlogs\ntop\n:4", commands.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kubeconfig_that_is_not_there_is_named()
    {
        var missing = await CommandLine.RunAsync(
            await NodePackages.KubectlAsync(), ["mdep", "top", "--kubeconfig", "/nowhere/config"], cluster.Environment());

        Assert.Equal(1, missing.ExitCode);
        Assert.Contains("kubeconfig '/nowhere/config' does not exist", missing.Error, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^\[([a-z0-9-]+)\] .*ready: serving", RegexOptions.Multiline)]
    private static partial Regex ReadyLine();
}
