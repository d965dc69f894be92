using Cluster.EndToEnd.Tests.Helm;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>The commands in the documents are run: kubectl against local mode, helm as <c>helm template</c>, our own programs on the sample
/// model, and clients against a worker. <see cref="CommandTests"/> alone checks what takes minutes (<c>dotnet test</c>, the benchmarks) and
/// what no test machine has (a registry, a hub, GPU nodes).</summary>
[Collection(SampleClusterCollection.Name)]
public sealed class RunningCommandTests(SampleCluster cluster, DocumentedWorker worker) : IClassFixture<DocumentedWorker>
{
    private static readonly Dictionary<string, DocumentedCommand> ByName = DocumentedCommand.All.Where(command => !command.IsMention)
        .DistinctBy(WhatItDoes).ToDictionary(command => command.ToString(), StringComparer.Ordinal);

    public static TheoryData<string> OfKubectl { get; } =
        Select(command => command.First.Program == "kubectl" && Kubectl.Trial(command.First) is not null);

    public static TheoryData<string> OfHelm { get; } =
        Select(command => command.First.Program == "helm" && Documents.Helm.Trial(command.First) is not null);

    public static TheoryData<string> OfOperator { get; } =
        Select(command => command.First.Program == "cluster-operator" && !command.HasPlaceholder);

    public static TheoryData<string> OfWorker { get; } = Select(command =>
        command.First is { Program: "cluster-worker", Arguments: not (["serve" or "launch", ..] or ["bench", "serve", ..]) }
        && !command.HasPlaceholder);

    public static TheoryData<string> ThatServe { get; } =
        Select(command => command.First is { Program: "cluster-worker", Arguments: ["serve" or "launch", ..] } && !command.HasPlaceholder);

    public static TheoryData<string> OfClients { get; } =
        Select(command => command.First
            is { Program: "curl" or "grpc-client" } or { Program: "cluster-worker", Arguments: ["bench", "serve", ..] });

    [Theory, MemberData(nameof(OfKubectl))]
    public async Task Kubectl_does_it_in_local_mode(string command)
    {
        await cluster.KubectlOutputAsync(Kubectl.Trial(ByName[command].First)!);
    }

    [Theory, MemberData(nameof(OfHelm))]
    public async Task Helm_renders_it(string command)
    {
        var result = await Chart.HelmAsync(Documents.Helm.Trial(ByName[command].First)!);

        Assert.True(result.ExitCode == 0, result.All);
        Assert.Contains("kind: Deployment", result.Output, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(OfOperator))]
    public async Task The_operator_does_it(string command)
    {
        // Local mode would run until Ctrl-C.
        var arguments = ByName[command].First.Arguments;
        var endless = arguments is ["local", ..] && !arguments.Contains("--once");
        var result = await CommandLine.RunAsync(LocalOperator.Program, endless ? [.. arguments, "--once"] : arguments);

        Assert.True(result.ExitCode == 0, result.All);
    }

    [Theory, MemberData(nameof(OfWorker))]
    public async Task The_worker_does_it(string command)
    {
        var result = await worker.RunAsync(ByName[command].First.Arguments);

        Assert.True(result.ExitCode == 0, result.All);
    }

    [Theory, MemberData(nameof(ThatServe))]
    public async Task The_worker_serves_so(string command)
    {
        await using var other = await WorkerProcess.StartLineAsync(DocumentedWorker.WithFullPaths(ByName[command].First.Arguments));

        Assert.True(await other.IsIdleAsync());
    }

    [Theory, MemberData(nameof(OfClients))]
    public async Task A_client_is_answered(string command)
    {
        var result = await worker.AskAsync(ByName[command]);

        Assert.True(result.ExitCode == 0, result.All);
        Assert.NotEqual("", result.Output.Trim());
    }

    [Fact]
    public async Task The_readmes_manifest_is_accepted()
    {
        var manifest = Document.At("README.md").Blocks.Single(block => block.Language == "yaml").Text;

        var result = await cluster.KubectlAsync(manifest, "apply", "--dry-run=server", "-f", "-");

        Assert.True(result.ExitCode == 0, result.All);
    }

    [Fact]
    public async Task The_example_with_the_openai_package_prints_a_haiku()
    {
        var modules = await NodePackages.RequireAsync("openai");
        var example = Document.At("docs/api.md").Blocks.Single(block => block.Language == "js").Text;

        var result = await worker.RunScriptAsync(example, modules);

        Assert.True(result.ExitCode == 0, result.All);
        Assert.Equal(3, result.Output.Trim().Split('\n').Length);
    }

    /// <summary>The same for commands that a test would run alike: local mode is always run with <c>--once</c>.</summary>
    private static string WhatItDoes(DocumentedCommand command) =>
        string.Join(
            " | ", command.Pipeline.Select(one => $"{one.Program} {string.Join(' ', one.Arguments.Where(word => word != "--once"))}"));

    private static TheoryData<string> Select(Func<DocumentedCommand, bool> which) =>
        [.. ByName.Where(one => which(one.Value)).Select(one => one.Key)];
}
