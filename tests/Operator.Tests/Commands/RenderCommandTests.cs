using Cluster.Common;
using Cluster.Operator.Api;
using Cluster.Operator.Commands;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Preloading;
using Cluster.Operator.Reconciling.Sizing;
using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Reconciling;
using Cluster.Operator.Tests.Reconciling.Sizing;
using Cluster.Operator.Yaml;
using k8s.Models;

namespace Cluster.Operator.Tests.Commands;

public sealed class RenderCommandTests(ApiServerFixture fixture) : IClassFixture<ApiServerFixture>
{
    private const string NoKubectl = "kubectl is not installed (set CLUSTER_KUBECTL or put it on the PATH)";

    public static bool HasKubectl => Kubectl.Program is not null;

    [Fact]
    public void Prints_services_budget_and_pods_on_simulated_nodes_and_says_so()
    {
        var result = Render(Deployment("replicas: 3, tensorParallelSize: 4"));
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.StartsWith("# Placed on simulated nodes of 8 GPUs", result.Output, StringComparison.Ordinal);
        Assert.Equal(
            ["Service llama", "Service llama-pods", "PodDisruptionBudget llama", "ServiceAccount llama-worker",
                "Pod llama-0", "Pod llama-1", "Pod llama-2"],
            result.Objects.Select(o => $"{o.Kind} {o.Name}"));
        Assert.All(result.Objects, o => Assert.Equal("default", o.Namespace));
        Assert.All(result.Objects, o => Assert.Null(o.Object["metadata"]!["ownerReferences"]));
        Assert.Equal(["simulated-0:0,1,2,3", "simulated-0:4,5,6,7", "simulated-1:0,1,2,3"], result.Places());
    }

    [Fact]
    public void A_node_selector_and_a_group_larger_than_a_board_are_no_obstacle_on_simulated_nodes() =>
        Assert.Equal(
            ["simulated-0:0,1,2,3,4,5,6,7,8,9,10,11"], Render(Deployment("tensorParallelSize: 12, gpu: {nodeSelector: {a: b}}")).Places());

    [Fact]
    public void Places_on_the_given_nodes_as_the_operator_would()
    {
        var small = Given.Node("small", 4);
        var other = Given.Node("other", change: n => n.Metadata.Labels!["zone"] = "b");
        var cluster = Yaml(small, other, Given.Pod("taken", "small", "0,1"));
        Assert.Equal(["small:2,3"], Render(Deployment("tensorParallelSize: 2"), cluster).Places());
        Assert.Equal(["other:0,1"], Render(Deployment("tensorParallelSize: 2, gpu: {nodeSelector: {zone: b}}"), cluster).Places());
        Assert.Equal(
            ["other:0,1", "small:2,3"],
            Render(Deployment("tensorParallelSize: 2, replicas: 2, gpu: {placement: Spread}"), cluster).Places()
                .Order(StringComparer.Ordinal));
        Assert.Equal(
            "GPU-0000000000000003,GPU-0000000000000004",
            (string?)Render(
                Deployment("tensorParallelSize: 2"), cluster).Objects[^1].Object["spec"]!["containers"]![0]!["env"]![0]!["value"]);
    }

    [Fact]
    public void Caches_are_filled_on_every_node_that_replicas_may_go_to()
    {
        var deployment = Deployment("replicas: 1")
            .Replace("\"file:///models/m\"", "\"oci://registry.example/m:1\", preload: true", StringComparison.Ordinal);
        var cluster = Yaml(Given.Node("a"), Given.Node("b"), Given.Node("none", gpus: 0));
        var pods = Render(deployment, cluster).Objects.Where(o => o.Kind == "Pod").Select(o => o.Object).ToList();

        Assert.Equal(3, pods.Count);
        Assert.Equal(["a", "b"], pods.Take(2).Select(pod => (string?)pod["metadata"]!["annotations"]![PreloadPod.TargetAnnotation]));
        Assert.All(pods.Take(2), pod => Assert.Equal("fetch", (string?)pod["spec"]!["containers"]![0]!["args"]![0]));
        Assert.Null(pods[2]["metadata"]!["annotations"]?[PreloadPod.TargetAnnotation]);
    }

    [Fact]
    public void Auto_is_decided_as_the_operator_would_and_the_advice_stands_above()
    {
        var manifest = Deployment("tensorParallelSize: auto")
            .Replace("m\"}", $"m\", config: {PublishedModels.Config("Llama-3.1-70B").ToJsonString()}}}", StringComparison.Ordinal);
        var result = Render(manifest);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("\n# llama: 2 GPUs per replica for throughput: 131.4 GiB of weights", result.Output, StringComparison.Ordinal);
        Assert.Equal(["simulated-0:0,1"], result.Places());

        var small = Yaml(Given.Node("n", [.. Given.Gpus(4).Select(g => g with { VramBytes = 64L << 30 })]));
        var refused = Render(manifest, small);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("llama: ModelTooLarge: 131.4 GiB of weights", refused.Error, StringComparison.Ordinal);
        Assert.Contains(
            "ModelConfigUnknown: tensorParallelSize auto cannot be decided: ", Render(Deployment("tensorParallelSize: auto")).Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Deployments_of_one_call_do_not_share_gpus()
    {
        var result = Render(
            Deployment("tensorParallelSize: 4") + "---\n" + Deployment("tensorParallelSize: 4", "second"), Yaml(Given.Node("n")));
        Assert.Equal(["n:0,1,2,3", "n:4,5,6,7"], result.Places());
        Assert.DoesNotContain("simulated", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_fit_is_told_and_costs_the_exit_code()
    {
        var result = Render(Deployment("replicas: 3, tensorParallelSize: 4"), Yaml(Given.Node("n")));
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(2, result.Places().Count);
        Assert.Contains(
            "llama: InsufficientGpus: placed 2 of 3 replicas: needs 4 GPUs on one node in one XGMI hive; no GPU is free on node n (0 "
            + "free of 8)", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("replicaz: 3", "unknown field \"spec.replicaz\"")]
    [InlineData("replicas: many", "spec.replicas in body must be of type integer")]
    [InlineData("tensorParallelSize: 65", "less than or equal to 64")]
    [InlineData("tuning: {env: [{name: CUDA_VISIBLE_DEVICES, value: '0'}]}", "spec.tuning.env[0].name")]
    [InlineData("replicas: 1000000", "less than or equal to 8192")]
    public void A_wrong_manifest_prints_nothing_but_what_is_wrong(string spec, string message)
    {
        var result = Render(Deployment(spec));
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("error: test.yaml:1: llama: ", result.Error, StringComparison.Ordinal);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_without_a_deployment_or_without_a_node_are_refused()
    {
        Assert.Contains(
            "no ModelDeployment", Assert.Throws<CommandFailure>(() => Render(Yaml(Given.Node("n")))).Message, StringComparison.Ordinal);
        Assert.Contains(
            "no Node", Assert.Throws<CommandFailure>(() => Render(Deployment(""), Yaml(Given.Pod("p")))).Message, StringComparison.Ordinal);
        Assert.Contains(
            "'n' twice", Assert.Throws<CommandFailure>(() => Render(Deployment(""), Yaml(Given.Node("n"), Given.Node("n")))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_written_by_hand_needs_no_status() =>
        Assert.Equal(["n:0"], Render(Deployment(""), Yaml(Given.Node("n", change: n => n.Status = null))).Places());

    [Theory(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    [InlineData("client")]
    [InlineData("server")]
    public async Task Kubectl_accepts_what_is_printed(string dryRun)
    {
        using Kubectl kubectl = new(fixture.Server, await fixture.NewNamespaceAsync());
        var manifest = Deployment(
            "replicas: 2, tensorParallelSize: 8, drainSeconds: 10, podTemplate: {spec: {tolerations: [{operator: Exists}]}}")
            .Replace("name: llama", $"name: llama, namespace: {kubectl.Namespace}", StringComparison.Ordinal);
        var result = Render(manifest, Yaml(Given.Node("n1"), Given.Node("n2")));
        var said = await kubectl.RunAsync("apply", $"--dry-run={dryRun}", "-f", kubectl.WriteFile("rendered.yaml", result.Output));
        Assert.Equal(
            ["service/llama", "service/llama-pods", "poddisruptionbudget.policy/llama", "serviceaccount/llama-worker", "pod/llama-0",
                "pod/llama-1"],
            said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line[..line.IndexOf(' ')]));
        var read = await kubectl.RunWithInputAsync(result.Output, "create", "--dry-run=client", "-o", "json", "-f", "-");
        Assert.Contains("\"kubernetes.io/h2c\"", read, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pod_for_a_restricted_namespace_asks_for_its_gpus_and_for_nothing_more()
    {
        var result = Render(
            Deployment("tensorParallelSize: 2, gpu: {deviceAccess: Plugin}")
                .Replace("file:///models/m", "hf://org/name", StringComparison.Ordinal),
            Yaml(Given.Node("n1"), Given.PluginNode("n2", unhealthy: [0])));
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        var container = result.Objects[^1].Object["spec"]!["containers"]![0]!;
        Assert.Equal(["n2:1,2"], result.Places());
        Assert.Equal(
            """{"limits":{"serving.cluster.sh/gpu-0000000000000002":"1","serving.cluster.sh/gpu-0000000000000003":"1"}}""",
            container["resources"]!.ToJsonString());
        Assert.False((bool)container["securityContext"]!["allowPrivilegeEscalation"]!);
        Assert.DoesNotContain("privileged", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("hostPath", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_claim_template_is_printed_beside_the_pods_that_refer_to_it()
    {
        var result = Render(Deployment("tensorParallelSize: 4, replicas: 2, gpu: {allocation: ResourceClaim}"));
        Assert.Equal(
            ["ResourceClaimTemplate llama-gpus-4", "Pod llama-0", "Pod llama-1"],
            result.Objects.Skip(4).Select(o => $"{o.Kind} {o.Name}"));
        Assert.Null(result.Objects[4].Object["metadata"]!["ownerReferences"]);
    }

    private static string Deployment(string spec, string name = "llama") => $$"""
        apiVersion: serving.cluster.sh/v1alpha1
        kind: ModelDeployment
        metadata: {name: {{name}}}
        spec: {model: {source: "file:///models/m"}, {{spec}}}

        """;

    private static string Yaml(params k8s.IKubernetesObject<V1ObjectMeta>[] objects) => string.Concat(objects.Select(o =>
    {
        o.ApiVersion = "v1";
        o.Kind = o.GetType().Name[2..];
        return "---\n" + YamlJson.ToYaml(KubernetesJson.ToJsonObject<object>(o));
    }));

    private static Result Render(string manifest, string? cluster = null)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        var exitCode = RenderCommand.RenderAsync(
            Manifest.Parse(manifest, "test.yaml"), cluster is null ? null : Manifest.Parse(cluster, "nodes.yaml"), new NoModelConfigs(),
            Given.Options, output, error, CancellationToken.None).GetAwaiter().GetResult();
        return new Result(exitCode, output.ToString(), error.ToString());
    }

    private sealed record Result(int ExitCode, string Output, string Error)
    {
        public IReadOnlyList<Manifest> Objects => Manifest.Parse(Output, "output");

        /// <summary>Node and GPUs of each pod.</summary>
        public List<string> Places() =>
            [.. Objects.Where(o => o.Kind == "Pod").Select(o => o.Object["metadata"]!["annotations"]!)
                .Select(a => $"{a[ApiNames.GpuNodeAnnotation]}:{a[ApiNames.GpuIndicesAnnotation]}")];
    }
}
