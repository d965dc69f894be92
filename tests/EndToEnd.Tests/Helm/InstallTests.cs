using System.Text.Json.Nodes;
using Cluster.Operator.Yaml;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>A real helm and kubectl install the chart into a Kubernetes API, with every value set.</summary>
public sealed class InstallTests(BareCluster cluster) : IClassFixture<BareCluster>
{
    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task A_release_is_installed_upgraded_and_uninstalled(string set)
    {
        await cluster.KubectlAsync("apply", "--server-side", "-f", Chart.ForeignKinds);
        var rendered = await Chart.TemplateAsync(set, release: set);
        string[] here = ["--namespace", Chart.Namespace];

        var notes = await cluster.HelmAsync(["install", set, Chart.Folder, .. here, "--create-namespace", "--values", Chart.Values(set)]);
        Assert.Contains("STATUS: deployed", notes, StringComparison.Ordinal);
        Assert.Contains("kubectl get mdep", notes, StringComparison.Ordinal);
        await cluster.KubectlWithInputAsync(rendered, "get", "-f", "-");

        await cluster.HelmAsync(["upgrade", set, Chart.Folder, .. here, "--reuse-values", "--set", "operator.concurrency=9"]);
        var operators = JsonNode.Parse(await cluster.KubectlAsync(
            ["get", "deployments", .. here, "-l", $"app.kubernetes.io/instance={set},app.kubernetes.io/component=operator", "-o", "json"]))!
            ["items"].Objects();
        Assert.Contains("--workers=9", Assert.Single(operators)["spec"]!["template"]!["spec"]!["containers"]![0]!["args"].Texts());

        await cluster.HelmAsync(["uninstall", set, .. here]);
        var left = await cluster.KubectlWithInputAsync(rendered, "get", "-f", "-", "--ignore-not-found", "-o", "name");
        Assert.Equal("", left.Trim());
        Assert.Contains(
            "modeldeployments.serving.cluster.sh", await cluster.KubectlAsync("get", "crd", "-o", "name"), StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task What_helm_renders_is_accepted_by_server_side_apply(string set)
    {
        await cluster.KubectlAsync("apply", "--server-side", "-f", Chart.ForeignKinds);
        if (!(await cluster.KubectlAsync("get", "ns", "-o", "name")).Contains(Chart.Namespace, StringComparison.Ordinal))
        {
            await cluster.KubectlAsync("create", "namespace", Chart.Namespace);
        }

        var text = await Chart.TemplateAsync(set, release: $"apply-{set}");
        var documents = Manifest.Parse(text, set);
        var applied = await cluster.KubectlWithInputAsync(text, "apply", "--server-side", "-f", "-");
        Assert.Equal(
            documents.Count, applied.Trim().Split('\n').Count(line => line.EndsWith("serverside-applied", StringComparison.Ordinal)));

        var again = await cluster.KubectlWithInputAsync(text, "apply", "--server-side", "-f", "-", "-o", "json");
        Assert.All(
            JsonNode.Parse(again)!["items"].Objects(),
            one =>
                Assert.True((long?)one["metadata"]!["generation"] is null or 1, $"{one["kind"]} {one.NameOf()} changes with every apply"));
        await cluster.KubectlWithInputAsync(text, "delete", "-f", "-");
    }

    /// <summary>kubectl decodes into Kubernetes' own Go types, which drop what they do not know: whatever is missing in its answer was
    /// misspelt.</summary>
    [Theory, MemberData(nameof(Chart.ValueSets), MemberType = typeof(Chart))]
    public async Task Kubernetes_types_know_every_field_of_the_workloads(string set)
    {
        foreach (var workload in (await Chart.RenderAsync(set)).Where(one => (string?)one["kind"] is "Deployment" or "DaemonSet"))
        {
            var answer = await cluster.KubectlWithInputAsync(
                workload.ToJsonString(), "set", "image", "--local", "-f", "-", "*=other", "-o", "json");
            var container = workload["spec"]!["template"]!["spec"]!["containers"]![0]!;
            container["image"] = "other";
            AssertContains(workload, JsonNode.Parse(answer), (string)workload["kind"]!);
        }
    }

    [Fact]
    public async Task Every_sample_is_accepted_and_validated_by_the_api_server()
    {
        await cluster.KubectlAsync("apply", "--server-side", "--force-conflicts", "-f", Path.Combine(Chart.Folder, "crds"));
        foreach (var file in Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, "deploy", "samples"), "*.yaml"))
        {
            await cluster.KubectlAsync("apply", "-f", file);
            await cluster.KubectlAsync("apply", "--server-side", "--force-conflicts", "-f", file);
            await cluster.KubectlAsync("get", "-f", file);
        }

        Assert.Contains("ModelDeployment/chat", await cluster.KubectlAsync("get", "hpa", "chat"), StringComparison.Ordinal);
        await cluster.KubectlAsync("scale", "mdep/chat", "--replicas=3");
        Assert.Equal("3", (await cluster.KubectlAsync("get", "mdep", "chat", "-o", "jsonpath={.spec.replicas}")).Trim());
        var refused = await cluster.TryKubectlAsync(
            """{"apiVersion": "serving.cluster.sh/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "x"}, "spec": {"model": {"source": "s3://x"}}}""", "apply", "-f", "-");
        Assert.Contains("spec.model.source", refused.Error, StringComparison.Ordinal);
    }

    /// <summary>Maps and lists of <paramref name="actual"/> hold at least what <paramref name="wanted"/> has.</summary>
    private static void AssertContains(JsonNode? wanted, JsonNode? actual, string path)
    {
        switch (wanted, actual)
        {
            case (JsonObject map, JsonObject other):
                foreach (var (key, value) in map)
                {
                    // Empty maps and lists are left out by Go's encoder.
                    if (value is not (null or JsonObject { Count: 0 } or JsonArray { Count: 0 }))
                    {
                        AssertContains(value, other[key], $"{path}.{key}");
                    }
                }

                break;
            case (JsonArray list, JsonArray other):
                Assert.Equal(list.Count, other.Count);
                for (var i = 0; i < list.Count; i++)
                {
                    AssertContains(list[i], other[i], $"{path}[{i}]");
                }

                break;
            case (JsonValue, JsonValue):
                break; // Quantities are spelt anew: 0.5 becomes 500m.
            default:
                Assert.Fail($"{path}: {wanted?.ToJsonString()} is unknown to kubectl");
                break;
        }
    }
}
