using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Operator.Yaml;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>The chart of the repository, rendered by a real helm with the value sets of tests/fixtures/helm.</summary>
internal static class Chart
{
    public const string Namespace = "cluster-system";

    private static readonly string Fixtures = Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "helm");

    // No test shall read or write the user's helm.
    private static readonly string Home = Path.Combine(Path.GetTempPath(), "cluster-test-helm");

    public static string Folder { get; } = Path.Combine(RepositoryRoot.Path, "deploy", "helm", "cluster");

    /// <summary>Stand-ins for CRDs that the chart's optional objects need.</summary>
    public static string ForeignKinds { get; } = Path.Combine(Fixtures, "crds");

    public static TheoryData<string> ValueSets { get; } = [
        .. Directory.EnumerateFiles(Fixtures, "*.yaml").Select(file => Path.GetFileNameWithoutExtension(file)!)
            .Order(StringComparer.Ordinal)];

    public static string Values(string set) => Path.Combine(Fixtures, $"{set}.yaml");

    public static async Task<CommandResult> HelmAsync(IEnumerable<string> arguments, string? kubeconfig = null, string? input = null)
    {
        var program = await NodePackages.HelmAsync();
        var environment = new Dictionary<string, string>
        {
            ["HELM_CACHE_HOME"] = Path.Combine(Home, "cache"),
            ["HELM_CONFIG_HOME"] = Path.Combine(Home, "config"),
            ["HELM_DATA_HOME"] = Path.Combine(Home, "data"),
            ["KUBECONFIG"] = kubeconfig ?? Path.Combine(Home, "none"),
        };
        return await CommandLine.RunAsync(program, arguments, environment, input);
    }

    /// <summary>What <c>helm template</c> makes of a value set, as text.</summary>
    public static async Task<string> TemplateAsync(string set, string release = "test", params string[] arguments)
    {
        var result = await HelmAsync(["template", release, Folder, "--namespace", Namespace, "--values", Values(set), .. arguments]);
        Assert.True(result.ExitCode == 0, $"helm template with {set}:\n{result.Error}");
        return result.Output;
    }

    public static async Task<IReadOnlyList<JsonObject>> RenderAsync(string set, params string[] arguments) =>
        [.. Manifest.Parse(await TemplateAsync(set, arguments: arguments), $"{set}.yaml").Select(manifest => manifest.Object)];

    public static IEnumerable<JsonObject> OfKind(this IEnumerable<JsonObject> objects, string kind) =>
        objects.Where(one => (string?)one["kind"] == kind);

    /// <summary>The one Deployment of a component: <c>operator</c> or <c>gateway</c>.</summary>
    public static JsonObject DeploymentOf(this IEnumerable<JsonObject> objects, string component) => objects.OfKind("Deployment")
        .Single(one => (string?)one["metadata"]!["labels"]!["app.kubernetes.io/component"] == component);

    public static string NameOf(this JsonNode one) => (string)one["metadata"]!["name"]!;

    /// <summary>Strings of a list; empty when there is none.</summary>
    public static IEnumerable<string> Texts(this JsonNode? list) => (list as JsonArray ?? []).Select(item => (string)item!);

    /// <summary>Objects of a list; empty when there is none.</summary>
    public static IEnumerable<JsonObject> Objects(this JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>();
}
