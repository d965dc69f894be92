using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Pods that have a node and get no containers, or wait for something that no node has. The condition says why, in the words of
/// the kubelet or the scheduler.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class CreationScenarios(ApiServerUnderTest server)
{
    public static TheoryData<string, string> Troubles { get; } = new()
    {
        {
            "FailedMount",
            "MountVolume.SetUp failed for volume \"model\" : hostPath type check failed: /models/a is not a directory"
        },
        { "FailedMount", "MountVolume.SetUp failed for volume \"token\" : secret \"hf-token\" not found" },
        {
            "FailedMount",
            "Unable to attach or mount volumes: unmounted volumes=[cache], unattached volumes=[], failed to process volumes=[cache]: error "
                + "processing PVC ns/cache: PVC is not bound"
        },
        { "FailedAttachVolume", "AttachVolume.Attach failed for volume \"pv-7\" : volume is attached to another node" },
        {
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"amd\" is "
                + "configured"
        },
        { "FailedPrepareDynamicResources", "Failed to prepare dynamic resources: plugin gpu.amd.com is not registered" },
        { "NetworkNotReady", "network is not ready: container runtime network not ready: cni plugin not initialized" },
    };

    [Theory, MemberData(nameof(Troubles))]
    public async Task A_pod_that_gets_no_containers_says_why_after_half_a_minute(string reason, string message)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        var pod = await CreatedWithoutContainersAsync(cluster);
        await cluster.WarnAsync(pod, "BackOff", "of no interest");
        await cluster.WarnAsync(pod, reason, message);
        await time.PassAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("False", cluster.Observer.Condition("llm", "Degraded")!.Status);
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "True", reason));
        Assert.Equal(
            $"pod {pod.Metadata.Name} has no containers yet on node {cluster.Node("n1")}: {message}",
            cluster.Observer.Condition("llm", "Degraded")!.Message);
        await cluster.SingleEventAsync(reason);

        cluster.Kubelet.Creates = _ => true;
        cluster.Kubelet.LookAgain();
        await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "False", "AsExpected"));
    }

    [Fact]
    public async Task A_kubelet_that_says_the_same_with_other_ids_changes_nothing()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        var pod = await CreatedWithoutContainersAsync(cluster);
        await cluster.WarnAsync(pod, "FailedCreatePodSandBox", Message(1));
        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "True", "FailedCreatePodSandBox"));
        var message = cluster.Observer.Condition("llm", "Degraded")!.Message!;
        Assert.EndsWith(
            "failed to setup network for sandbox \"*\": plugin type=\"calico\" failed (add): dial tcp *:443: i/o timeout", message,
            StringComparison.Ordinal);
        await cluster.SingleEventAsync("FailedCreatePodSandBox");
        var writes = cluster.Gateway.Writes.Count();
        for (var i = 2; i < 5; i++)
        {
            await cluster.WarnAsync(pod, "FailedCreatePodSandBox", Message(i), $"2030-01-01T00:0{i}:00Z");
            await time.PassAsync(TimeSpan.FromSeconds(40));
        }

        Assert.Equal(message, cluster.Observer.Condition("llm", "Degraded")!.Message);
        Assert.Equal(writes, cluster.Gateway.Writes.Count());

        static string Message(int round) =>
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
            + $"\"{new string((char)('a' + round), 64)}\": plugin type=\"calico\" failed (add): dial tcp 10.96.0.{round}:443: i/o timeout";
    }

    [Theory]
    [InlineData("0/1 nodes are available: persistentvolumeclaim \"weights\" not found. not found")]
    [InlineData("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found")]
    public async Task A_pod_whose_volume_claim_is_not_bound_says_so_and_waits_where_it_is(string message)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, withOperator: false);
        PassingTime time = new();
        await cluster.StartOperatorAsync(time: time.Clock);
        cluster.Kubelet.Binds = _ => false;
        await cluster.ApplyAsync("llm", change: spec => spec["podTemplate"] = JsonNode.Parse(
            """
            {"spec": {"containers": [{"name": "worker", "volumeMounts": [{"name": "weights", "mountPath": "/weights"}]}],
             "volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}]}}
            """));
        await cluster.UntilAsync(() => cluster.Observer.Pods.Count == 1, "the pod is there");
        var pod = cluster.Observer.Pods[0];
        if (!ApiServerUnderTest.HasScheduler)
        {
            await cluster.SetUnschedulableAsync(pod, message);
        }

        await time.WhileAsync(cluster.UntilConditionAsync("llm", "Degraded", "True", PodProblem.Unschedulable));
        Assert.Contains(
            "persistentvolumeclaim", cluster.Observer.Condition("llm", "Degraded")!.Message, StringComparison.OrdinalIgnoreCase);
        await time.PassAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(pod.Metadata.Uid, Assert.Single(cluster.Observer.Pods).Metadata.Uid);
        Assert.Equal(1, cluster.Gateway.Requests.Count(r => r.IsPodCreation));

        if (!ApiServerUnderTest.HasScheduler)
        {
            cluster.Kubelet.Binds = _ => true;
            cluster.Kubelet.LookAgain();
            await time.WhileAsync(cluster.UntilReadyAsync("llm", 1));
        }
    }

    private static async Task<V1Pod> CreatedWithoutContainersAsync(TestCluster cluster)
    {
        cluster.Kubelet.Creates = _ => false;
        await cluster.ApplyAsync("llm");
        await cluster.UntilAsync(() => cluster.Observer.Pods is [{ Spec.NodeName: not null }], "the pod is on its node");
        return cluster.Observer.Pods[0];
    }
}
