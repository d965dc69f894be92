using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Where pinned pods go beside their GPUs: CPUs, memory, ephemeral storage and places for pods count, and what the scheduler or a
/// kubelet refuses is placed anew.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class PlacementScenarios(ApiServerUnderTest server)
{
    private const string Roomy = """{"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}""";

    [Fact]
    public async Task Two_replicas_of_3_GiB_land_on_two_nodes_of_3_8_GiB_and_a_third_says_what_is_missing()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, withOperator: false);
        await SetAllocatableAsync(cluster, "n1", """{"cpu": "8", "memory": "3800Mi", "pods": "110"}""");
        await SetAllocatableAsync(cluster, "n2", """{"cpu": "8", "memory": "3800Mi", "pods": "110"}""");
        await cluster.StartOperatorAsync();
        await cluster.ApplyAsync("llm", replicas: 2, change: TestCluster.Requesting("""{"memory": "3Gi"}"""));
        await cluster.UntilReadyAsync("llm", 2);
        Assert.Equal(
            [cluster.Node("n1"), cluster.Node("n2")], cluster.Observer.Active("llm").Select(r => r.Node!).Order(StringComparer.Ordinal));

        await cluster.ScaleAsync("llm", 3);
        await cluster.UntilConditionAsync("llm", "GpusAllocated", "False", Shortage.InsufficientResources);
        Assert.Contains(
            "(3 GiB of memory requested, 728 MiB left)", cluster.Observer.Condition("llm", "GpusAllocated")!.Message,
            StringComparison.Ordinal);

        // Room that comes is taken without being asked for again.
        await SetAllocatableAsync(cluster, "n2", """{"cpu": "8", "memory": "8Gi", "pods": "110"}""");
        await cluster.UntilReadyAsync("llm", 3);
    }

    [Theory]
    [InlineData("""{"cpu": "3"}""", """{"cpu": "2"}""", """{"cpu": "4", "memory": "64Gi", "pods": "110"}""")]
    [InlineData("""{"memory": "3Gi"}""", """{"memory": "1Gi"}""", """{"cpu": "4", "memory": "3800Mi", "pods": "110"}""")]
    [InlineData(
        """{"ephemeral-storage": "3Gi"}""", """{"ephemeral-storage": "2Gi"}""",
        """{"cpu": "4", "memory": "64Gi", "ephemeral-storage": "4Gi", "pods": "110"}""")]
    [InlineData("""{"cpu": "1"}""", """{"cpu": "1"}""", """{"cpu": "4", "memory": "64Gi", "pods": "1"}""")]
    public async Task Pods_of_others_take_room_until_they_are_gone(string asked, string taken, string allocatable)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        await SetAllocatableAsync(cluster, "n1", allocatable);
        await cluster.Client.CreateAsync<V1Pod>(
            new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = "other", ["namespace"] = cluster.Namespace },
                ["spec"] = JsonNode.Parse(
                    $$$"""
                    {"nodeName": "{{{cluster.Node("n1")}}}", "terminationGracePeriodSeconds": 0,
                     "containers": [{"name": "c", "image": "i", "resources": {"requests": {{{taken}}} } }]}
                    """),
            },
            CancellationToken.None);
        await cluster.UntilAsync(() => cluster.Observer.Pod("other") is not null, "the other pod is there");
        await cluster.StartOperatorAsync();
        await cluster.ApplyAsync("llm", change: TestCluster.Requesting(asked));
        await cluster.UntilConditionAsync("llm", "GpusAllocated", "False", Shortage.InsufficientResources);
        Assert.DoesNotContain(cluster.Observer.Pods, p => ClusterObserver.BelongsTo(p, "llm"));

        await cluster.Client.DeleteAsync<V1Pod>(cluster.Namespace, "other", null, 0, CancellationToken.None);
        await cluster.UntilReadyAsync("llm", 1);
    }

    [Theory]
    [InlineData("OutOfmemory", "Pod was rejected: Node didn't have enough resource: memory, requested: 3221225472, used: 0, capacity: 1")]
    [InlineData("OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000")]
    [InlineData("NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")]
    [InlineData("UnexpectedAdmissionError", "Pod was rejected: Allocate failed due to no healthy devices present, which is unexpected")]
    public async Task A_pod_that_a_kubelet_turns_back_is_placed_on_another_node(string reason, string message)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, withOperator: false);
        PassingTime time = new();
        await SetAllocatableAsync(cluster, "n1", Roomy);
        await SetAllocatableAsync(cluster, "n2", Roomy);
        var refusing = cluster.Node("n1");
        cluster.Kubelet.TurnsBack = pod => pod.Spec.NodeName == refusing ? (reason, message) : null;
        await cluster.StartOperatorAsync(time: time.Clock);
        await cluster.ApplyAsync("llm", replicas: 3);
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 3));
        Assert.All(cluster.Observer.Active("llm"), replica => Assert.Equal(cluster.Node("n2"), replica.Node));
    }

    [Fact]
    public async Task A_pod_that_every_kubelet_turns_back_is_tried_ever_more_rarely_and_says_why()
    {
        const string Message = "Pod was rejected: Node didn't have enough resource: memory, requested: 9, used: 8, capacity: 7";
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, withOperator: false);
        PassingTime time = new();
        cluster.Kubelet.TurnsBack = _ => ("OutOfmemory", Message);
        await cluster.StartOperatorAsync(time: time.Clock);
        await cluster.ApplyAsync("llm");
        await time.PassAsync(TimeSpan.FromMinutes(4));

        // At once, and after 10, 20, 40 and 80 s more.
        Assert.InRange(cluster.Gateway.Requests.Count(r => r.IsPodCreation), 4, 7);
        var condition = cluster.Observer.Condition("llm", "Degraded")!;
        Assert.Equal(("True", "OutOfmemory"), (condition.Status, condition.Reason));
        Assert.EndsWith($"ended (Failed): {Message}", condition.Message, StringComparison.Ordinal);

        cluster.Kubelet.TurnsBack = _ => null;
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
    }

    [Fact]
    public async Task A_pod_that_the_scheduler_does_not_bind_is_placed_on_another_node()
    {
        Assert.SkipWhen(ApiServerUnderTest.HasScheduler, "the cluster's own scheduler binds the pod");
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, withOperator: false);
        PassingTime time = new();
        cluster.Kubelet.Binds = _ => false;
        await cluster.StartOperatorAsync(time: time.Clock);
        await cluster.ApplyAsync("llm");
        await cluster.UntilAsync(() => cluster.Observer.Pods.Count == 1, "the pod is there");
        var pod = cluster.Observer.Pods[0];
        var first = Replica.Of(pod).Node;
        cluster.Kubelet.Binds = candidate => Replica.Of(candidate).Node != first;
        await cluster.SetUnschedulableAsync(pod, "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports");
        await time.PassAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(pod.Metadata.Uid, Assert.Single(cluster.Observer.Pods).Metadata.Uid);
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        Assert.NotEqual(first, Assert.Single(cluster.Observer.Active("llm")).Node);
    }

    private static Task SetAllocatableAsync(TestCluster cluster, string node, string resources) => cluster.PatchNodeAsync(
        node, $$$"""{"status": {"allocatable": {{{resources}}}, "capacity": {{{resources}}} } }""", "status");
}
