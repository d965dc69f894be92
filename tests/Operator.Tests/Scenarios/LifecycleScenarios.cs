using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>A deployment's ordinary life: made, scaled, short of GPUs, wrong and put right.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class LifecycleScenarios(ApiServerUnderTest server)
{
    [Fact]
    public async Task A_deployment_is_placed_and_becomes_ready_and_its_status_says_so()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2);
        await cluster.ApplyAsync("llm", replicas: 4, gpus: 4);
        await cluster.UntilReadyAsync("llm", 4);

        var status = cluster.Observer.Deployment("llm")!.Status!;
        Assert.Equal(16, status.Placements!.SelectMany(p => p.Gpus!.Select(g => (p.Node, g))).Distinct().Count());
        Assert.Equal(
            ["Degraded=False", "GpusAllocated=True", "Progressing=False", "Ready=True"],
            status.Conditions!.Where(c => c.Type != "NodeTuned").Select(c => $"{c.Type}={c.Status}").Order(StringComparer.Ordinal));
        var service = KubernetesJson.ToJsonObject(
            await cluster.Client.GetAsync<V1Service>(cluster.Namespace, "llm", CancellationToken.None));
        Assert.Contains("kubernetes.io/h2c", service.ToJsonString(), StringComparison.Ordinal);
        var pods = KubernetesJson.ToJsonObject(
            await cluster.Client.GetAsync<V1Service>(cluster.Namespace, "llm-pods", CancellationToken.None));
        Assert.Equal("None", (string?)pods["spec"]!["clusterIP"]);
    }

    [Fact]
    public async Task The_scale_subresource_scales_up_and_down_and_to_zero_and_back()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var first = cluster.Observer.Active("llm").Select(r => r.Name).ToHashSet();

        await cluster.ScaleAsync("llm", 5);
        await cluster.UntilReadyAsync("llm", 5);
        Assert.Superset(first, cluster.Observer.Active("llm").Select(r => r.Name).ToHashSet());

        await cluster.ScaleAsync("llm", 1);
        await cluster.UntilReadyAsync("llm", 1);

        await cluster.ScaleAsync("llm", 0);
        await cluster.UntilAsync(
            () => cluster.Observer.Pods.Count == 0 && cluster.Observer.Condition("llm", "Ready")?.Reason == "ScaledToZero",
            "nothing is left");

        await cluster.ScaleAsync("llm", 2);
        await cluster.UntilReadyAsync("llm", 2);
        Assert.Equal(2, cluster.Observer.Deployment("llm")!.Status!.Replicas);
    }

    [Fact]
    public async Task Scaling_down_takes_the_unready_replica_and_leaves_those_that_serve()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 3);
        await cluster.UntilReadyAsync("llm", 3);
        var sick = cluster.Observer.Active("llm")[1].Name;
        await cluster.Kubelet.CrashAsync(sick, "no memory");
        await cluster.UntilAsync(() => cluster.Observer.Deployment("llm")!.Status!.ReadyReplicas == 2, "the operator knows");

        await cluster.ScaleAsync("llm", 2);
        await cluster.UntilReadyAsync("llm", 2);
        Assert.DoesNotContain(sick, cluster.Observer.Active("llm").Select(r => r.Name));
    }

    [Fact]
    public async Task Too_few_gpus_are_said_in_numbers_and_a_freed_gpu_goes_to_who_waits()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("first", replicas: 3, gpus: 2);
        await cluster.UntilReadyAsync("first", 3);
        await cluster.ApplyAsync("second", replicas: 1, gpus: 4);
        await cluster.UntilConditionAsync("second", "GpusAllocated", "False", "InsufficientGpus");
        Assert.Contains("2 free of 8", cluster.Observer.Condition("second", "GpusAllocated")!.Message, StringComparison.Ordinal);
        Assert.Equal("InsufficientGpus", cluster.Observer.Condition("second", "Progressing")!.Reason);

        await cluster.ScaleAsync("first", 2);
        await cluster.UntilReadyAsync("second", 1);
        await cluster.SingleEventAsync("InsufficientGpus");
    }

    [Fact]
    public async Task Two_deployments_that_want_the_same_gpus_share_them_and_none_twice()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, gpus: 4);
        await Task.WhenAll(cluster.ApplyAsync("a", replicas: 6), cluster.ApplyAsync("b", replicas: 6));
        await cluster.UntilAsync(() => cluster.Observer.Ready("a") + cluster.Observer.Ready("b") == 8, "all eight GPUs serve");
        await cluster.UntilAsync(
            () => cluster.Observer.Condition("a", "GpusAllocated")?.Reason == "InsufficientGpus"
                || cluster.Observer.Condition("b", "GpusAllocated")?.Reason == "InsufficientGpus",
            "somebody goes short and says so");

        await cluster.AddNodeAsync("n3", gpus: 4);
        await cluster.UntilReadyAsync("a", 6);
        await cluster.UntilReadyAsync("b", 6);
    }

    [Fact]
    public async Task A_node_whose_device_plugin_hands_out_the_gpus_is_refused_until_it_stops()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.PatchNodeAsync(
            "n1", """{"status": {"capacity": {"amd.com/gpu": "8"}, "allocatable": {"amd.com/gpu": "8"}}}""", "status");
        await cluster.ApplyAsync("llm");
        await cluster.UntilConditionAsync("llm", "GpusAllocated", "False");
        await cluster.UntilAsync(
            () => cluster.Observer.Condition("llm", "GpusAllocated")!.Message!.Contains("amd.com/gpu", StringComparison.Ordinal),
            "the message names the resource");
        Assert.Empty(cluster.Observer.Pods);

        await cluster.PatchNodeAsync(
            "n1", """{"status": {"capacity": {"amd.com/gpu": null}, "allocatable": {"amd.com/gpu": null}}}""", "status");
        await cluster.UntilReadyAsync("llm", 1);
    }

    [Fact]
    public async Task With_a_device_plugin_the_pods_request_the_resource_and_the_operator_books_nothing()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", gpus: 2, change: spec => spec["gpu"]!["allocation"] = "DevicePlugin");
        await cluster.UntilAsync(() => cluster.Observer.Pods.Count == 1, "its pod");
        var pod = KubernetesJson.ToJsonObject(cluster.Observer.Pods[0]);
        Assert.Equal("2", (string?)pod["spec"]!["containers"]![0]!["resources"]!["limits"]!["amd.com/gpu"]);
        Assert.Empty(Replica.Of(cluster.Observer.Pods[0]).Gpus);
        await cluster.UntilConditionAsync("llm", "GpusAllocated", "True", "DevicePlugin");

        // The scheduler's part, which chooses any node with enough of the resource.
        await cluster.Client.BindAsync(
            cluster.Namespace, cluster.Observer.Pods[0].Metadata.Name, cluster.Node("n1"), CancellationToken.None);
        await cluster.UntilReadyAsync("llm", 1);
    }

    [Fact]
    public async Task A_spec_that_cannot_work_is_a_condition_and_once_put_right_it_serves()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", change: spec => spec["podTemplate"] = JsonNode.Parse("""{"spec": {"restartPolicy": "Never"}}"""));
        await cluster.UntilConditionAsync("llm", "Degraded", "True", "InvalidSpec");
        Assert.Contains("restartPolicy", cluster.Observer.Condition("llm", "Degraded")!.Message, StringComparison.Ordinal);
        Assert.Empty(cluster.Observer.Pods);
        await cluster.SingleEventAsync("InvalidSpec");

        await cluster.ApplyAsync("llm");
        await cluster.UntilReadyAsync("llm", 1);
        Assert.Equal(
            ("False", "AsExpected"),
            (cluster.Observer.Condition("llm", "Degraded")!.Status, cluster.Observer.Condition("llm", "Degraded")!.Reason));
    }

    [Fact]
    public async Task A_spec_outside_the_schema_is_refused_at_the_door()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 0, withOperator: false);
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => cluster.ApplyAsync("llm", replicas: -1));
        Assert.Equal((422, "Invalid"), (refused.StatusCode, refused.Reason));
        Assert.Contains("spec.replicas", refused.Message, StringComparison.Ordinal);
        var unknown = await Assert.ThrowsAsync<KubernetesException>(() => cluster.ApplyAsync("llm", change: spec => spec["replica"] = 1));
        Assert.Contains("replica", unknown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whatever_somebody_else_writes_into_the_status_is_put_right_and_the_spec_stays()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var generation = cluster.Observer.Deployment("llm")!.Metadata.Generation;
        await cluster.Client.PatchAsync<ModelDeployment>(
            cluster.Namespace, "llm", PatchType.Merge, JsonNode.Parse("""{"spec": {"replicas": 7}, "status": {"readyReplicas": 99}}""")!,
            "status", CancellationToken.None);
        await cluster.UntilReadyAsync("llm", 2);
        Assert.Equal(
            (2, generation), (cluster.Observer.Deployment("llm")!.Spec.Replicas, cluster.Observer.Deployment("llm")!.Metadata.Generation));
    }
}
