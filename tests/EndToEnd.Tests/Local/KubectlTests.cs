using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Local;

/// <summary>A real kubectl against local mode, as an administrator uses it.</summary>
[Collection(SampleClusterCollection.Name)]
public sealed class KubectlTests(SampleCluster cluster)
{
    private const string Sample = "haiku";

    [Fact]
    public async Task Get_shows_the_deployment_and_its_pods()
    {
        var deployments = await cluster.KubectlOutputAsync("get", "mdep", "-o", "wide");
        var pods = await cluster.KubectlOutputAsync("get", "pods", "-o", "wide", "-l", $"serving.cluster.sh/model-deployment={Sample}");

        Assert.Contains(Sample, deployments, StringComparison.Ordinal);
        Assert.Contains("READY", deployments, StringComparison.Ordinal);
        Assert.Equal(
            2,
            pods.Split('\n')
                .Count(
                    line => line.StartsWith(Sample, StringComparison.Ordinal)
                        && line.Contains("1/1", StringComparison.Ordinal)
                        && line.Contains("Running", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Describe_reads_conditions_placements_and_events()
    {
        var text = await cluster.KubectlOutputAsync("describe", "mdep", Sample);

        Assert.Contains(
            "Gpus Allocated", text.Replace("GpusAllocated", "Gpus Allocated", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("Placements", text, StringComparison.Ordinal);
        Assert.Contains("Events", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_knows_the_fields()
    {
        Assert.Contains("<integer>", await cluster.KubectlOutputAsync("explain", "mdep.spec.drainSeconds"), StringComparison.Ordinal);
        Assert.Contains("auto", await cluster.KubectlOutputAsync("explain", "mdep.spec.tensorParallelSize"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logs_are_those_of_the_worker()
    {
        var pod = await FirstPodAsync(Sample);

        // A probe may find the worker ready before its last line has come through the pipe.
        var text = "";
        Assert.True(
            await Eventually.IsTrueAsync(
                async () => (text = await cluster.KubectlOutputAsync("logs", pod))
                    .Contains("ready: serving haiku", StringComparison.Ordinal)), text);
    }

    [Fact]
    public async Task A_deployment_is_applied_scaled_and_deleted()
    {
        const string Name = "scaled";
        await ApplyAsync(Name, replicas: 1);
        await cluster.KubectlOutputAsync("wait", "--for=condition=Ready", $"mdep/{Name}", "--timeout=60s");

        await cluster.KubectlOutputAsync("scale", "mdep", Name, "--replicas=3");
        Assert.True(
            await Eventually.IsTrueAsync(async () => (await ReadyAsync(Name)) == 3),
            await cluster.KubectlOutputAsync("describe", "mdep", Name));
        Assert.Equal(3, (await PlacementsAsync(Name)).SelectMany(placement => placement.Gpus).Distinct().Count());

        await cluster.KubectlOutputAsync("scale", "mdep", Name, "--replicas=0");
        Assert.True(await Eventually.IsTrueAsync(async () => (await PodsAsync(Name)).Count == 0));

        await cluster.KubectlOutputAsync("delete", "mdep", Name, "--timeout=60s");
        Assert.NotEqual(0, (await cluster.KubectlAsync(null, "get", "mdep", Name)).ExitCode);
    }

    [Fact]
    public async Task Killing_a_worker_brings_a_new_one_up_on_the_same_GPU()
    {
        const string Name = "killed";
        await ApplyAsync(Name, replicas: 1);
        await cluster.KubectlOutputAsync("wait", "--for=condition=Ready", $"mdep/{Name}", "--timeout=60s");
        var before = Assert.Single(await PlacementsAsync(Name));
        var pod = await FirstPodAsync(Name);
        var container = await cluster.KubectlOutputAsync("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].containerID}");
        const int SigKill = 9;

        Assert.Equal(0, LocalOperator.Kill(int.Parse(container.Replace("process://", "", StringComparison.Ordinal)), SigKill));

        Assert.True(
            await Eventually.IsTrueAsync(async () => await RestartsAsync(pod) == "1" && await ReadyAsync(Name) == 1),
            (await cluster.KubectlAsync(null, "get", "pods", "-o", "wide")).All);
        Assert.Equal(before.Gpus, Assert.Single(await PlacementsAsync(Name)).Gpus);
        await cluster.KubectlOutputAsync("delete", "mdep", Name, "--timeout=60s");
    }

    [Fact]
    public async Task A_deployment_without_GPUs_left_says_so_in_condition_and_event_and_starts_when_some_are_freed()
    {
        const string Greedy = "greedy";
        const string Late = "late";
        await ApplyAsync(Greedy, replicas: 20);
        Assert.True(
            await Eventually.IsTrueAsync(async () => (await ConditionAsync(Greedy, "GpusAllocated"))?["status"]?.ToString() == "False"));
        await ApplyAsync(Late, replicas: 1);
        Assert.True(
            await Eventually.IsTrueAsync(
                async () => (await ConditionAsync(Late, "GpusAllocated"))?["reason"]?.ToString() == "InsufficientGpus"));
        Assert.Contains("InsufficientGpus", await cluster.KubectlOutputAsync("describe", "mdep", Late), StringComparison.Ordinal);

        await cluster.KubectlOutputAsync("delete", "mdep", Greedy, "--timeout=60s");

        await cluster.KubectlOutputAsync("wait", "--for=condition=Ready", $"mdep/{Late}", "--timeout=60s");
        await cluster.KubectlOutputAsync("delete", "mdep", Late, "--timeout=60s");
    }

    [Theory]
    [InlineData("spec: {model: {source: 'file:///models/haiku-1m'}, colour: blue}", "unknown field \"spec.colour\"")]
    [InlineData("spec: {model: {source: 'file:///models/haiku-1m'}, replicas: two}", "spec.replicas")]
    [InlineData("spec: {model: {source: 'ftp://example/model'}}", "spec.model.source")]
    [InlineData("spec: {}", "spec.model")]
    public async Task A_wrong_manifest_is_refused_at_apply(string spec, string message)
    {
        var result = await cluster.KubectlAsync(Manifest("refused", spec), "apply", "-f", "-");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    private static string Manifest(string name, string spec) => $$"""
        apiVersion: serving.cluster.sh/v1alpha1
        kind: ModelDeployment
        metadata: {name: {{name}}}
        {{spec}}
        """;

    private async Task ApplyAsync(string name, int replicas)
    {
        var result = await cluster.KubectlAsync(
            Manifest(name, $"spec: {{model: {{source: 'file:///models/haiku-1m'}}, replicas: {replicas}}}"), "apply", "-f", "-");
        Assert.True(result.ExitCode == 0, result.All);
    }

    private async Task<JsonNode> GetAsync(string name) =>
        JsonNode.Parse(await cluster.KubectlOutputAsync("get", "mdep", name, "-o", "json"))!;

    private async Task<int> ReadyAsync(string name) => (int?)(await GetAsync(name))["status"]?["readyReplicas"] ?? 0;

    private async Task<JsonNode?> ConditionAsync(string name, string type) =>
        ((await GetAsync(name))["status"]?["conditions"] as JsonArray)?.FirstOrDefault(condition => (string?)condition!["type"] == type);

    private async Task<IReadOnlyList<(string Pod, string[] Gpus)>> PlacementsAsync(string name) =>
        [.. ((await GetAsync(name))["status"]!["placements"] as JsonArray ?? []).Select(placement =>
            ((string)placement!["pod"]!, ((JsonArray)placement["gpus"]!).Select(gpu => (string)gpu!).ToArray()))];

    private async Task<IReadOnlyList<string>> PodsAsync(string name) =>
        (await cluster.KubectlOutputAsync("get", "pods", "-l", $"serving.cluster.sh/model-deployment={name}", "-o", "name"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private async Task<string> FirstPodAsync(string name) => (await PodsAsync(name))[0].Replace("pod/", "", StringComparison.Ordinal);

    private async Task<string> RestartsAsync(string pod) =>
        (await cluster.KubectlOutputAsync("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}")).Trim();
}
