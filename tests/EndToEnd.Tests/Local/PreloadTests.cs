using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Local;

/// <summary><c>spec.model.preload</c> in local mode: a real pod runs the real <c>cluster-worker fetch</c> before a replica is placed. The
/// hub is away; what its cache has is what there is.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class PreloadTests : IDisposable
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_replica_comes_when_the_cache_has_the_model()
    {
        await using var local = await StartAsync("main");
        await Eventually.True(
            async () => (string?)(await StatusAsync(local))["readyReplicas"]?.ToString() == "1", "the replica is ready");
        var status = await StatusAsync(local);
        Assert.Equal("""[{"node":"local","state":"Done"}]""", status["preload"]!.ToJsonString());
        Assert.Equal(
            ("True", "1 of 1 nodes has the model"), (Condition(status, "Preloaded", "status"), Condition(status, "Preloaded", "message")));
        var log = await KubectlAsync(local, "logs", "-l", "serving.cluster.sh/preload=haiku");
        Assert.Contains("hf://test/haiku@main is in ", log, StringComparison.Ordinal);
        Assert.Contains(Commit, log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_fetched_is_told_with_its_reason_and_no_replica_is_made()
    {
        await using var local = await StartAsync("v2");

        // It is tried again, and another status follows this one.
        JsonNode status = new JsonObject();
        await Eventually.True(
            async () => Condition(status = await StatusAsync(local), "Preloaded", "reason") == "PreloadFailed", "the failure is told");
        Assert.Contains("HF_HUB_OFFLINE forbids downloading it", Condition(status, "Preloaded", "message"), StringComparison.Ordinal);
        Assert.Equal("0", status["replicas"]!.ToString());
        Assert.Equal("Failed", (string?)status["preload"]![0]!["state"]);
    }

    private async Task<LocalOperator> StartAsync(string revision)
    {
        var repository = Path.Combine(_folder.Path, "hub", "models--test--haiku");
        var snapshot = Directory.CreateDirectory(Path.Combine(repository, "snapshots", Commit)).FullName;
        foreach (var file in Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m")))
        {
            File.Copy(file, Path.Combine(snapshot, Path.GetFileName(file)));
        }

        Directory.CreateDirectory(Path.Combine(repository, "refs"));
        await File.WriteAllTextAsync(Path.Combine(repository, "refs", "main"), Commit);
        var manifest = Path.Combine(_folder.Path, "haiku.yaml");
        await File.WriteAllTextAsync(manifest, $$"""
            apiVersion: serving.cluster.sh/v1alpha1
            kind: ModelDeployment
            metadata: {name: haiku}
            spec:
              model: {source: "hf://test/haiku@{{revision}}", cache: "file://{{_folder.Path}}", preload: true}
              tuning: {env: [{name: HF_HUB_OFFLINE, value: "1"}]}
            """);
        return await LocalOperator.StartAsync(untilReady: false, "-f", manifest, "--gateway-port", "0");
    }

    /// <summary>Empty as long as the cluster does not know the kind, or the deployment.</summary>
    private static async Task<JsonNode> StatusAsync(LocalOperator local)
    {
        var result = await RunAsync(local, "get", "mdep", "-o", "json");
        return (result.ExitCode == 0 ? JsonNode.Parse(result.Output)!["items"]!.AsArray().FirstOrDefault()?["status"] : null)
            ?? new JsonObject();
    }

    private static string? Condition(JsonNode status, string type, string field) =>
        (string?)(status["conditions"] as JsonArray ?? []).FirstOrDefault(c => (string?)c!["type"] == type)?[field];

    private static async Task<string> KubectlAsync(LocalOperator local, params string[] arguments)
    {
        var result = await RunAsync(local, arguments);
        Assert.True(result.ExitCode == 0, result.All);
        return result.Output;
    }

    private static async Task<CommandResult> RunAsync(LocalOperator local, params string[] arguments) =>
        await CommandLine.RunAsync(
            await NodePackages.KubectlAsync(), arguments, new Dictionary<string, string> { ["KUBECONFIG"] = local.Kubeconfig });
}
