using System.Text.Json;
using System.Text.RegularExpressions;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Page;

/// <summary>The gateway's page in a real browser, over a local cluster with real workers: every view, during a rollout and a kill. The
/// steps are in <c>clients/page.mjs</c>. With <c>CLUSTER_PAGE_PICTURES</c> set to a folder it also takes the pictures of the
/// documents.</summary>
[Trait(Category.Name, Category.Long)]
public sealed partial class PageTests(ITestOutputHelper log)
{
    /// <summary>Two replicas of two GPUs each, so that there are links to draw.</summary>
    private static readonly string TensorParallelManifest = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "haiku-tp2.yaml");

    private const string PicturesVariable = "CLUSTER_PAGE_PICTURES";

    [Fact]
    public async Task Every_view_holds_in_a_browser_during_a_rollout_and_a_kill()
    {
        var chromium = Environment.GetEnvironmentVariable("CLUSTER_CHROMIUM")
            ?? CommandLine.Find("chromium") ?? CommandLine.Find("chromium-browser") ?? CommandLine.Find("google-chrome");
        Assert.SkipWhen(chromium is null, "chromium is not installed (CLUSTER_CHROMIUM names another one)");
        var modules = await NodePackages.RequireAsync("playwright-core", "axe-core");
        var kubectl = await NodePackages.KubectlAsync();
        await using var local = await LocalOperator.StartAsync(
            untilReady: true, "-f", LocalOperator.SampleManifest, "-f", TensorParallelManifest, "--gpus", "8", "--gateway-port", "0");
        var options = JsonSerializer.Serialize(new
        {
            chromium,
            kubectl,
            kubeconfig = local.Kubeconfig,
            deployment = "haiku",
            pictures = Environment.GetEnvironmentVariable(PicturesVariable),
        });

        var result = await CommandLine.RunAsync(
            "node",
            [Path.Combine(RepositoryRoot.Path, "tests", "EndToEnd.Tests", "clients", "page.mjs"), GatewayOf(local), options],
            new Dictionary<string, string> { ["CLUSTER_NODE_MODULES"] = modules },
            timeout: TimeSpan.FromMinutes(15));

        log.WriteLine(result.Output);
        Assert.True(result.ExitCode == 0, $"{result.All}\n{local.Output}");
    }

    private static string GatewayOf(LocalOperator local) => GatewayLine().Match(local.Output).Groups[1].Value;

    [GeneratedRegex(@"^gateway (http://[\d.:]+)", RegexOptions.Multiline)]
    private static partial Regex GatewayLine();
}
