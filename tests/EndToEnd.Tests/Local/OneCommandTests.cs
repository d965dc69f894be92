using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Local;

[Trait(Category.Name, Category.Long)]
public sealed class OneCommandTests
{
    [Theory]
    [InlineData("haiku.yaml")]
    [InlineData("haiku-auto.yaml")]
    public async Task Once_prints_the_haiku_of_every_replica_and_the_gateway_and_exits_with_zero(string sample)
    {
        // The README's command as it stands, but for the build, which is done.
        var result = await CommandLine.RunAsync(
            "dotnet",
            ["run", "--project", "operator", "-c", LocalOperator.Configuration, "--no-build", "--", "local", "-f",
                $"deploy/samples/{sample}", "--once"]);

        Assert.True(result.ExitCode == 0, result.All);
        Assert.Equal(3, result.Output.Split(Haiku.Text).Length - 1);
    }

    [Fact]
    public async Task Interrupting_it_ends_every_process_and_removes_every_file()
    {
        await using var local = await LocalOperator.StartAsync(untilReady: true, "-f", LocalOperator.SampleManifest);
        var workers = local.Children();
        var folder = Path.GetDirectoryName(local.Kubeconfig)!;
        Assert.Equal(2, workers.Count);
        Assert.True(Directory.Exists(folder));

        var exitCode = await local.InterruptAsync();

        Assert.Equal(0, exitCode);
        Assert.DoesNotContain(workers, LocalOperator.IsRunning);
        Assert.False(Directory.Exists(folder), folder);
    }

    [Fact]
    public async Task Workers_end_by_themselves_when_local_mode_is_killed_outright()
    {
        await using var local = await LocalOperator.StartAsync(untilReady: true, "-f", LocalOperator.SampleManifest);
        var workers = local.Children();
        var folder = Path.GetDirectoryName(local.Kubeconfig)!;
        const int SigKill = 9;
        _ = LocalOperator.Kill(local.ProcessId, SigKill);

        Assert.True(
            await Eventually.IsTrueAsync(() => !workers.Any(LocalOperator.IsRunning)), "workers outlive the process that started them");
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_host_named_for_workers_starts_them_and_their_ranks()
    {
        // <host>/shared/Microsoft.NETCore.App/<version>/System.Private.CoreLib.dll
        var host = Path.GetFullPath(Path.Combine(typeof(object).Assembly.Location, "..", "..", "..", "..", "dotnet"));
        var sample = Path.Combine(Path.GetDirectoryName(LocalOperator.SampleManifest)!, "haiku-tp2.yaml");
        await using var local = await LocalOperator.StartAsync(untilReady: true, "-f", sample, "--worker-host", host, "--device", "cpu");
        var workers = local.Children();
        var ranks = workers.SelectMany(LocalOperator.ChildrenOf).ToList();

        Assert.Equal((2, 2), (workers.Count, ranks.Count));
        Assert.All([.. workers, .. ranks], process => Assert.StartsWith(
            $"{host} exec ", File.ReadAllText($"/proc/{process}/cmdline").Replace('\0', ' '), StringComparison.Ordinal));
        Assert.Contains("8 simulated GPUs, computing on the CPU", local.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("replicas: two", "replicas")]
    [InlineData("colour: blue", "colour")]
    [InlineData("tensorParallelSize: 0", "tensorParallelSize")]
    public async Task A_wrong_manifest_is_refused_with_the_field_in_the_message(string line, string field)
    {
        var manifest = $"""
            apiVersion: serving.cluster.sh/v1alpha1
            kind: ModelDeployment
            metadata: {"{"}name: wrong{"}"}
            spec:
              model: {"{"}source: file:///models/haiku-1m{"}"}
              {line}
            """;
        var result = await CommandLine.RunAsync(LocalOperator.Program, ["local", "-f", "-", "--once"], input: manifest);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(field, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_few_GPUs_are_explained_with_the_numbers()
    {
        var manifest = """
            apiVersion: serving.cluster.sh/v1alpha1
            kind: ModelDeployment
            metadata: {name: wide}
            spec:
              model: {source: file:///models/haiku-1m}
              replicas: 1
              tensorParallelSize: 3
            """;
        var result = await CommandLine.RunAsync(
            LocalOperator.Program, ["local", "-f", "-", "--once", "--gpus", "2", "--timeout", "3"], input: manifest);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("InsufficientGpus", result.All, StringComparison.Ordinal);
        Assert.Matches("needs 3 GPUs.*2", result.All);
    }

    [Fact]
    public async Task A_model_folder_that_does_not_exist_is_named()
    {
        var manifest = """
            apiVersion: serving.cluster.sh/v1alpha1
            kind: ModelDeployment
            metadata: {name: nowhere}
            spec:
              model: {source: file:///models/no-such-model}
            """;
        var result = await CommandLine.RunAsync(
            LocalOperator.Program,
            ["local", "-f", "-", "--once", "--timeout", "20", "--models", Path.GetDirectoryName(LocalOperator.SampleManifest)! + "/models"],
            input: manifest);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("no-such-model", result.All, StringComparison.Ordinal);
        Assert.Contains("Degraded", result.All, StringComparison.Ordinal);
    }
}
