using System.Net;
using System.Text;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Scenarios.Support;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Deleting a deployment: its finalizer holds it until its pods have let their GPUs go.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class DeletionScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task Deleting_in_the_background_holds_the_deployment_until_its_last_pod_is_gone()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var last = cluster.Observer.Pods[0].Metadata.Name;
        cluster.Kubelet.Ends = pod => pod.Metadata.Name != last;
        await cluster.DeleteAsync("llm");
        await cluster.UntilAsync(
            () => cluster.Observer.Pods.Count == 1 && cluster.Observer.Pods[0].Metadata.DeletionTimestamp is not null, "one pod is slow");
        await cluster.UntilConditionAsync("llm", "Progressing", "True", "Deleting");
        Assert.Contains(ApiNames.Finalizer, cluster.Observer.Deployment("llm")!.Metadata.Finalizers!);

        cluster.Kubelet.Ends = _ => true;
        cluster.Kubelet.LookAgain();
        await cluster.UntilAsync(() => cluster.Observer.Deployment("llm") is null, "the deployment is gone");

        // It is seen by another watch.
        await cluster.UntilAsync(() => cluster.Observer.Pods.Count == 0, "its pods are gone");
    }

    [Fact]
    public async Task Deleting_in_the_foreground_ends_as_well()
    {
        Assert.SkipWhen(
            !ApiServerUnderTest.HasControllers,
            "foreground deletion needs kube-controller-manager's garbage collector, which does not run beside a bare kube-apiserver");
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        using var http = cluster.Server.NewHttpClient();
        using var request = new HttpRequestMessage(
            HttpMethod.Delete, $"/apis/{ApiNames.Group}/{ApiNames.Version}/namespaces/{cluster.Namespace}/{ApiNames.Plural}/llm")
        {
            Content = new StringContent(
                """{"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}""", Encoding.UTF8, "application/json"),
        };
        using var answer = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await cluster.UntilAsync(
            () => cluster.Observer.Deployment("llm") is null && cluster.Observer.Pods.Count == 0, "everything is gone");
    }

    [Fact]
    public async Task Pods_that_may_not_be_deleted_are_asked_for_ever_more_rarely_and_the_end_comes_when_they_may()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        await cluster.ApplyAsync("llm", replicas: 2);
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 2));
        cluster.Gateway.OnRequest = r => IsPodDeletion(r)
            ? new Fault(403, Message: $"admission webhook \"guard.example.com\" denied the request: {Guid.NewGuid()}: not now")
            : null;
        var before = cluster.Gateway.Requests.Count;
        await cluster.DeleteAsync("llm");
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "True", Refusal.OfPod));
        Assert.Equal(
            "admission webhook \"guard.example.com\" denied the request: *: not now",
            cluster.Observer.Condition("llm", "Degraded")!.Message);
        await time.PassAsync(TimeSpan.FromSeconds(20));
        Assert.InRange(cluster.Gateway.Requests.Skip(before).Count(IsPodDeletion), 6, 30);
        Assert.InRange(cluster.Gateway.Requests.Skip(before).Count(r => !r.IsWatch), 1, 60);
        await cluster.SingleEventAsync(Refusal.OfPod);

        cluster.Gateway.OnRequest = null;
        await time.WhileAsync(cluster.UntilAsync(() => cluster.Observer.Deployment("llm") is null, "the deployment is gone"));

        static bool IsPodDeletion(GatewayRequest request) =>
            request.Method == "DELETE" && request.Path.Contains("/pods/", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Somebody_else_s_finalizer_keeps_the_deployment_but_not_its_gpus()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 1);
        var manifest = cluster.Manifest("llm");
        manifest["metadata"]!["finalizers"] = new System.Text.Json.Nodes.JsonArray("example.test/hold");
        await cluster.Client.ApplyAsync<ModelDeployment>(manifest, "user", force: true, subresource: null, CancellationToken.None);
        await cluster.UntilReadyAsync("llm", 1);
        await cluster.DeleteAsync("llm");
        // Two watches, so the one of the pods may tell of their end later.
        await cluster.UntilAsync(
            () => cluster.Observer.Deployment("llm")?.Metadata.Finalizers is ["example.test/hold"] && cluster.Observer.Pods.Count == 0,
            "only the foreign finalizer is left, and no pod");
        await cluster.ApplyAsync("next");
        await cluster.UntilReadyAsync("next", 1);
    }

    [Fact]
    public async Task A_deployment_made_again_under_its_name_does_not_adopt_the_old_pods()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm");
        await cluster.UntilReadyAsync("llm", 1);
        var old = (cluster.Observer.Deployment("llm")!.Metadata.Uid, cluster.Observer.Pods[0].Metadata.Uid);
        await cluster.DeleteAsync("llm");
        await cluster.UntilAsync(() => cluster.Observer.Deployment("llm") is null, "it is gone");
        await cluster.ApplyAsync("llm");
        await cluster.UntilReadyAsync("llm", 1);
        Assert.NotEqual(old, (cluster.Observer.Deployment("llm")!.Metadata.Uid, cluster.Observer.Pods[0].Metadata.Uid));
        Assert.Equal(cluster.Observer.Deployment("llm")!.Metadata.Uid, cluster.Observer.Pods[0].Metadata.OwnerReferences![0].Uid);
    }
}
