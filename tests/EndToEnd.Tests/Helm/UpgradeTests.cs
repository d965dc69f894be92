using System.Text.Json.Nodes;
using Cluster.Operator.Yaml;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>The documented way to a newer chart, with a real helm and kubectl: the CRD first, then the release.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class UpgradeTests : IAsyncLifetime
{
    private const string Definition = "modeldeployments.serving.cluster.sh";
    private const string NewField = "fieldOfTheNextVersion";

    private static readonly string[] Here = ["--namespace", Chart.Namespace];

    private readonly BareCluster _cluster = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cluster-upgrade-");

    public ValueTask InitializeAsync() => _cluster.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("--server-side=true", "Apply")]
    [InlineData("--server-side=false", "Update")]
    public async Task A_newer_definition_is_taken_over_from_helm_and_survives_upgrade_and_rollback(string how, string operation)
    {
        await _cluster.HelmAsync(["install", "cluster", Chart.Folder, .. Here, "--create-namespace", how]);
        Assert.Equal([$"helm {operation}"], await OwnersAsync("f:versions"));
        await _cluster.KubectlWithInputAsync(Deployment("before", null), "apply", "-f", "-");
        await RefusesNewFieldAsync();

        var newer = WriteNewerDefinition();
        var refused = await _cluster.TryKubectlAsync(null, "apply", "--server-side", "-f", newer);
        Assert.Equal(1, refused.ExitCode);
        var version = operation == "Apply" ? "" : " using apiextensions.k8s.io/v1"; // As the real server names the two kinds of managers.
        Assert.Contains(
            $"Apply failed with 1 conflict: conflict with \"helm\"{version}: .spec.versions", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--force-conflicts", refused.Error, StringComparison.Ordinal);
        await RefusesNewFieldAsync();

        Assert.Contains(
            "serverside-applied", await _cluster.KubectlAsync("apply", "--server-side", "--force-conflicts", "-f", newer),
            StringComparison.Ordinal);
        Assert.Equal(["kubectl Apply"], await OwnersAsync("f:versions"));
        await _cluster.KubectlWithInputAsync(Deployment("after", "x"), "apply", "-f", "-");
        var applied = await VersionAsync();

        var key = await MasterKeyAsync();
        await _cluster.HelmAsync(["upgrade", "cluster", Chart.Folder, .. Here, "--reuse-values", "--set", "operator.concurrency=9"]);
        Assert.Contains("--workers=9", await ArgumentsAsync());
        Assert.Equal(key, await MasterKeyAsync());
        await _cluster.HelmAsync(["rollback", "cluster", "1", .. Here]);
        Assert.Contains("--workers=4", await ArgumentsAsync());
        Assert.Equal(applied, await VersionAsync());

        // From now on kubectl owns it, and the next one needs no force.
        await _cluster.KubectlAsync("apply", "--server-side", "-f", newer);
        Assert.Equal(applied, await VersionAsync());
        await _cluster.HelmAsync(["uninstall", "cluster", .. Here]);
        Assert.Equal(
            "modeldeployment.serving.cluster.sh/after\nmodeldeployment.serving.cluster.sh/before",
            (await _cluster.KubectlAsync("get", "mdep", "-o", "name")).Trim());
        Assert.Equal("x", await _cluster.KubectlAsync("get", "mdep", "after", "-o", $"jsonpath={{.spec.{NewField}}}"));
    }

    [Fact]
    public async Task What_somebody_else_has_set_on_the_release_stops_an_upgrade_that_sets_it_too()
    {
        await _cluster.HelmAsync(["install", "cluster", Chart.Folder, .. Here, "--create-namespace"]);
        var name = (await _cluster.KubectlAsync(
            ["get", "deployments", .. Here, "-l", "app.kubernetes.io/component=operator", "-o", "jsonpath={.items[0].metadata.name}"]))
            .Trim();
        await _cluster.KubectlAsync(["scale", $"deployment/{name}", "--replicas=5", .. Here]);

        string[] upgrade = ["upgrade", "cluster", Chart.Folder, .. Here, "--reuse-values", "--set", "operator.replicas=3"];
        var refused = await Chart.HelmAsync(upgrade, _cluster.Kubeconfig);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains(
            "conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas", refused.Error, StringComparison.Ordinal);
        await _cluster.HelmAsync([.. upgrade, "--force-conflicts"]);
        Assert.Equal("3", await _cluster.KubectlAsync(["get", "deployment", name, .. Here, "-o", "jsonpath={.spec.replicas}"]));
    }

    private async Task RefusesNewFieldAsync()
    {
        var refused = await _cluster.TryKubectlAsync(Deployment("x", "x"), "apply", "-f", "-");
        Assert.Contains($"unknown field \"spec.{NewField}\"", refused.Error, StringComparison.Ordinal);
    }

    private static string Deployment(string name, string? value)
    {
        JsonObject spec = new() { ["model"] = new JsonObject { ["source"] = "file:///models/m" } };
        if (value is not null)
        {
            spec[NewField] = value;
        }

        return new JsonObject
        {
            ["apiVersion"] = "serving.cluster.sh/v1alpha1",
            ["kind"] = "ModelDeployment",
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default" },
            ["spec"] = spec,
        }.ToJsonString();
    }

    private string WriteNewerDefinition()
    {
        var definition = Manifest.Load(Path.Combine(Chart.Folder, "crds")).Single(m => m.Name == Definition).Object;
        definition["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!["properties"]![NewField] =
            new JsonObject { ["type"] = "string" };
        var file = Path.Combine(_folder.FullName, "newer.yaml");
        File.WriteAllText(file, definition.ToJsonString());
        return file;
    }

    /// <returns>Who owns a field of the definition's spec, and by which operation.</returns>
    private async Task<IEnumerable<string>> OwnersAsync(string field)
    {
        var definition = JsonNode.Parse(await _cluster.KubectlAsync("get", "crd", Definition, "-o", "json", "--show-managed-fields"))!;
        return definition["metadata"]!["managedFields"].Objects()
            .Where(entry => entry["fieldsV1"]!["f:spec"]?[field] is not null)
            .Select(entry => $"{entry["manager"]} {entry["operation"]}");
    }

    private async Task<string> MasterKeyAsync() =>
        await _cluster.KubectlAsync(["get", "secret", "cluster-gateway-key", .. Here, "-o", "jsonpath={.data.key}"]);

    private async Task<string> VersionAsync() =>
        await _cluster.KubectlAsync("get", "crd", Definition, "-o", "jsonpath={.metadata.resourceVersion}");

    private async Task<IEnumerable<string>> ArgumentsAsync() =>
        JsonNode.Parse(await _cluster.KubectlAsync(["get", "deployments", .. Here, "-o", "json"]))!["items"].Objects()
            .SelectMany(one => one["spec"]!["template"]!["spec"]!["containers"]![0]!["args"].Texts());
}
