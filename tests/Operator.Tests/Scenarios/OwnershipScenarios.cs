using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Pods that leave a deployment and come back to one. The observer sees to it that no GPU is held twice meanwhile.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class OwnershipScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task A_pod_that_loses_its_label_is_replaced_and_one_that_gets_it_back_is_taken_back()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 3);
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var pod = cluster.Observer.Active("llm")[0].Name;

        await LabelAsync(cluster, pod, "null");
        await cluster.UntilAsync(() => cluster.Observer.Active("llm").All(r => r.Name != pod), "the pod has left");
        await cluster.UntilReadyAsync("llm", 2);
        Assert.Empty(cluster.Observer.Pod(pod)!.Metadata.OwnerReferences ?? []);
        Assert.Equal(3, cluster.Observer.Pods.Count);

        // The observer may not have seen the label yet, and two others are ready.
        await LabelAsync(cluster, pod, "\"llm\"");
        await cluster.UntilAsync(() => cluster.Observer.Pods.Count == 2, "one pod too many goes");
        await cluster.UntilReadyAsync("llm", 2);
    }

    [Fact]
    public async Task A_pod_whose_owner_is_taken_away_is_adopted_again()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 2);
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var pod = cluster.Observer.Active("llm")[0].Name;
        var orphan = await cluster.Client.PatchAsync<V1Pod>(
            cluster.Namespace, pod, PatchType.Merge, JsonNode.Parse("""{"metadata": {"ownerReferences": null}}""")!, null,
            CancellationToken.None);
        Assert.Empty(orphan.Metadata.OwnerReferences ?? []);
        await cluster.UntilAsync(
            () => cluster.Observer.Pod(pod)!.Metadata is { OwnerReferences.Count: 1 } now && Version(now) > Version(orphan.Metadata),
            "the pod has an owner again");
        await cluster.UntilReadyAsync("llm", 2);
    }

    [Fact]
    public async Task Deleted_with_orphans_a_deployment_leaves_its_pods_and_one_of_its_name_takes_them_over()
    {
        Assert.SkipWhen(
            !ApiServerUnderTest.HasControllers,
            "orphaning needs kube-controller-manager's garbage collector, which does not run beside a bare kube-apiserver");
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 2);
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var pods = cluster.Observer.Pods.Select(p => p.Metadata.Uid).ToList();
        using var http = cluster.Server.NewHttpClient();
        using var request = new HttpRequestMessage(
            HttpMethod.Delete, $"/apis/{ApiNames.Group}/{ApiNames.Version}/namespaces/{cluster.Namespace}/{ApiNames.Plural}/llm")
        {
            Content = new StringContent(
                """{"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"}""", Encoding.UTF8, "application/json"),
        };
        using var answer = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await cluster.UntilAsync(() => cluster.Observer.Deployment("llm") is null, "the deployment is gone");
        Assert.Equal(pods, cluster.Observer.Pods.Select(p => p.Metadata.Uid));
        Assert.Equal(
            ["llm", "llm-pods"],
            (await cluster.Client.ListAsync<V1Service>(cluster.Namespace, null, CancellationToken.None)).Items
                .Select(s => s.Metadata.Name));
        Assert.Single((await cluster.Client.ListAsync<V1PodDisruptionBudget>(cluster.Namespace, null, CancellationToken.None)).Items);

        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        Assert.Equal(pods, cluster.Observer.Pods.Select(p => p.Metadata.Uid));
    }

    private static long Version(V1ObjectMeta metadata) => long.Parse(metadata.ResourceVersion, CultureInfo.InvariantCulture);

    private static Task LabelAsync(TestCluster cluster, string pod, string value) => cluster.Client.PatchAsync<V1Pod>(
        cluster.Namespace, pod, PatchType.Merge,
        JsonNode.Parse($$$"""{"metadata": {"labels": {"{{{ApiNames.DeploymentLabel}}}": {{{value}}} } } }""")!, null,
        CancellationToken.None);
}
