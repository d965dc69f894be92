using Cluster.Operator.Tests.Local.ApiServer;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>What a person sees who asks the real kubectl.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class DescribeScenarios(ApiServerUnderTest server, ITestOutputHelper output)
{
    [Fact]
    public async Task Describe_tells_what_is_wrong_with_a_degraded_deployment()
    {
        Assert.SkipWhen(Kubectl.Program is null, "kubectl is neither on the PATH nor named by CLUSTER_KUBECTL");
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 4);
        await cluster.ApplyAsync("llama-70b", replicas: 2, gpus: 2, model: "file:///models/llama-70b");
        await cluster.UntilReadyAsync("llama-70b", 2);
        var crashed = cluster.Observer.Active("llama-70b")[0].Name;
        await cluster.Kubelet.CrashAsync(
            crashed,
            "loading /models/llama-70b: 12 of 30 files\nerror: tensor 'model.layers.3.mlp.up_proj.weight' is F64; supported: F32, F16, "
            + "BF16, F8_E4M3");
        await cluster.UntilConditionAsync("llama-70b", "Degraded", "True", "WorkerCrashed");
        await cluster.UntilAsync(() => cluster.Observer.Deployment("llama-70b")!.Status!.ReadyReplicas == 1, "the status counts one");
        await cluster.SingleEventAsync("WorkerCrashed");

        using var kubectl = new Kubectl(cluster.Server.WriteKubeconfig, cluster.Namespace);
        var table = await kubectl.RunAsync("get", "mdep", "-o", "wide");
        var description = await kubectl.RunAsync("describe", "mdep", "llama-70b");
        output.WriteLine(table);
        output.WriteLine(description);
        Assert.Contains("WorkerCrashed", description, StringComparison.Ordinal);
        Assert.Contains(
            "12 of 30 files | error: tensor 'model.layers.3.mlp.up_proj.weight' is F64; supported: F32, F16, BF16, F8_E4M3", description,
            StringComparison.Ordinal);
        Assert.Contains("1 of 2 replicas ready", description, StringComparison.Ordinal);
        Assert.Matches(@"Warning\s+WorkerCrashed\s+\S+\s+cluster-operator", description);
        Assert.Matches(@"llama-70b\s", table);
    }

    [Fact]
    public async Task Scale_and_wait_work_as_on_any_workload()
    {
        Assert.SkipWhen(Kubectl.Program is null, "kubectl is neither on the PATH nor named by CLUSTER_KUBECTL");
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm");
        await cluster.UntilReadyAsync("llm", 1);
        using var kubectl = new Kubectl(cluster.Server.WriteKubeconfig, cluster.Namespace);
        await kubectl.RunAsync("scale", "mdep", "llm", "--replicas=3", "--current-replicas=1");
        await cluster.UntilReadyAsync("llm", 3);
        await kubectl.RunAsync("wait", "mdep/llm", "--for=condition=Ready", "--timeout=30s");
        Assert.Equal("3 3", await kubectl.RunAsync("get", "mdep", "llm", "-o", "jsonpath={.status.replicas} {.status.readyReplicas}"));
        await kubectl.RunAsync("delete", "mdep", "llm", "--timeout=30s");
        Assert.Empty(cluster.Observer.Pods);
    }

    [Fact]
    public void Runs_against_a_real_api_server()
    {
        Assert.SkipUnless(
            ApiServerUnderTest.IsReal,
            $"set {ApiServerUnderTest.KubeconfigVariable} to the kubeconfig of a cluster, or {ApiServerUnderTest.AssetsVariable} to a "
            + "folder with kube-apiserver and etcd, or start a Docker engine for K3s, to run every scenario there; this run used local "
            + "mode's API server");
        Assert.NotNull(server);
    }
}
