using System.Text.Json.Nodes;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Workers and nodes that fail. The observer fails every one of these tests if a GPU is ever booked twice.</summary>
public sealed class FailureScenarios(ApiServerUnderTest server)
{
    private const string LastWords =
        "loading /models/a\nerror: tensor 'model.layers.3.mlp.up_proj.weight' is F64; supported: F32, F16, BF16";

    [Fact]
    public async Task A_crashing_worker_s_last_lines_stand_in_the_degraded_condition_until_it_recovers()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var crashed = cluster.Observer.Active("llm")[0].Name;
        await cluster.Kubelet.CrashAsync(crashed, LastWords);
        await cluster.UntilConditionAsync("llm", "Degraded", "True", "WorkerCrashed");
        var message = cluster.Observer.Condition("llm", "Degraded")!.Message!;
        Assert.StartsWith($"pod {crashed}: ", message, StringComparison.Ordinal);
        Assert.EndsWith("supported: F32, F16, BF16", message, StringComparison.Ordinal);
        Assert.Equal("1 of 2 replicas ready", cluster.Observer.Condition("llm", "Ready")!.Message);

        await cluster.Kubelet.RecoverAsync(crashed);
        await cluster.UntilConditionAsync("llm", "Degraded", "False", "AsExpected");
        await cluster.SingleEventAsync("WorkerCrashed");
    }

    [Fact]
    public async Task An_evicted_pod_is_replaced_and_the_others_go_on()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2);
        await cluster.ApplyAsync("llm", replicas: 3);
        await cluster.UntilReadyAsync("llm", 3);
        var fewest = cluster.Observer.WatchFewestReady("llm");
        var evicted = cluster.Observer.Active("llm")[0].Name;
        await cluster.Kubelet.EvictAsync(evicted);
        await cluster.UntilAsync(() => cluster.Observer.Pod(evicted) is null, "the evicted pod is cleaned away");
        await cluster.UntilReadyAsync("llm", 3);
        Assert.Equal(2, fewest());
    }

    [Fact]
    public async Task A_lost_node_s_replica_is_replaced_elsewhere_and_its_gpus_stay_booked_until_the_node_is_back()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, gpus: 2);
        await cluster.ApplyAsync("llm", replicas: 2, gpus: 1);
        await cluster.UntilReadyAsync("llm", 2);
        var lost = cluster.Observer.Active("llm")[0].Node!;
        var stranded = cluster.Observer.Pods.Where(p => p.Spec.NodeName == lost).ToList();
        await cluster.Kubelet.LoseNodeAsync(lost);

        // What the taint manager does after the toleration of 300 s; nobody on the node confirms it.
        foreach (var pod in stranded)
        {
            await cluster.Client.DeleteAsync<V1Pod>(cluster.Namespace, pod.Metadata.Name, pod.Metadata.Uid, null, CancellationToken.None);
        }

        await cluster.UntilAsync(
            () => cluster.Observer.Ready("llm") == 2 && cluster.Observer.Active("llm").All(r => r.Node != lost),
            "both replicas serve on the other node");
        Assert.All(stranded, p => Assert.NotNull(cluster.Observer.Pod(p.Metadata.Name)!.Metadata.DeletionTimestamp));

        await cluster.Kubelet.ReturnNodeAsync(lost);
        await cluster.UntilAsync(() => stranded.All(p => cluster.Observer.Pod(p.Metadata.Name) is null), "the old pods end");
        await cluster.ScaleAsync("llm", 4);
        await cluster.UntilReadyAsync("llm", 4);
        Assert.Equal(4, cluster.Observer.Active("llm").SelectMany(r => r.Gpus.Select(g => (r.Node, g))).Distinct().Count());
    }

    [Fact]
    public async Task Pods_of_a_node_that_left_the_cluster_are_removed_by_force_and_replaced()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2);
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var gone = cluster.Observer.Active("llm")[0].Node!;
        await cluster.Kubelet.LoseNodeAsync(gone);
        await cluster.Client.DeleteAsync<V1Node>(null, gone, null, null, CancellationToken.None);
        await cluster.UntilReadyAsync("llm", 2);
        Assert.DoesNotContain(cluster.Observer.Pods, p => p.Spec.NodeName == gone);
    }

    [Fact]
    public async Task A_cordoned_and_drained_node_is_emptied_and_gets_nothing_new_until_uncordoned()
    {
        Assert.SkipWhen(
            !ApiServerUnderTest.HasControllers,
            "evicting under a PodDisruptionBudget needs kube-controller-manager's disruption controller, which does not run beside a "
            + "bare kube-apiserver");
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, gpus: 2);
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var drained = cluster.Observer.Active("llm")[0].Node!;
        var shortName = drained[(cluster.Namespace.Length + 1)..];
        await cluster.PatchNodeAsync(shortName, """{"spec": {"unschedulable": true}}""");
        using var http = cluster.Server.NewHttpClient();
        foreach (var pod in cluster.Observer.Active("llm").Where(r => r.Node == drained))
        {
            await EvictAsync(http, cluster, pod.Name);
        }

        await cluster.UntilAsync(
            () => cluster.Observer.Ready("llm") == 2 && cluster.Observer.Pods.All(p => p.Spec.NodeName != drained),
            "all replicas are on the other node");
        await cluster.ScaleAsync("llm", 3);
        await cluster.UntilConditionAsync("llm", "GpusAllocated", "False", "InsufficientGpus");

        await cluster.PatchNodeAsync(shortName, """{"spec": {"unschedulable": null}}""");
        await cluster.UntilReadyAsync("llm", 3);
    }

    [Fact]
    public async Task A_pod_that_is_slow_to_end_keeps_its_gpus()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), gpus: 2);
        await cluster.ApplyAsync("llm", gpus: 2);
        await cluster.UntilReadyAsync("llm", 1);
        var slow = cluster.Observer.Pods[0].Metadata.Name;
        cluster.Kubelet.Ends = pod => pod.Metadata.Name != slow;
        await cluster.ApplyAsync("llm", gpus: 2, model: "file:///models/b");
        await cluster.UntilAsync(() => cluster.Observer.Pod(slow)!.Metadata.DeletionTimestamp is not null, "the old pod is told to end");
        await cluster.UntilAsync(
            () => cluster.Observer.Condition("llm", "GpusAllocated")?.Status == "False", "the new one waits for its GPUs");
        Assert.Single(cluster.Observer.Pods);

        cluster.Kubelet.Ends = _ => true;
        cluster.Kubelet.LookAgain();
        await cluster.UntilReadyAsync("llm", 1);
    }

    [Fact]
    public async Task A_pod_that_somebody_deletes_is_replaced()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        await cluster.ApplyAsync("llm", replicas: 2);
        await cluster.UntilReadyAsync("llm", 2);
        var victim = cluster.Observer.Active("llm")[0];
        await cluster.Client.DeleteAsync<V1Pod>(cluster.Namespace, victim.Name, victim.Uid, null, CancellationToken.None);
        await cluster.UntilAsync(() => cluster.Observer.Pod(victim.Name) is null, "it is gone");
        await cluster.UntilReadyAsync("llm", 2);
    }

    [Fact]
    public async Task A_pod_the_server_refuses_is_reported_and_tried_again()
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync());
        cluster.Gateway.OnRequest = r =>
            r is { Method: "POST" } && r.Path.EndsWith("/pods", StringComparison.Ordinal) ? new Fault(403) : null;
        await cluster.ApplyAsync("llm");
        await cluster.UntilConditionAsync("llm", "Degraded", "True", "PodRefused");
        Assert.Empty(cluster.Observer.Pods);
        cluster.Gateway.OnRequest = null;
        await cluster.UntilReadyAsync("llm", 1);
        await cluster.UntilConditionAsync("llm", "Degraded", "False", "AsExpected");
    }

    private static async Task EvictAsync(HttpClient http, TestCluster cluster, string pod)
    {
        var eviction = new JsonObject
        {
            ["apiVersion"] = "policy/v1",
            ["kind"] = "Eviction",
            ["metadata"] = new JsonObject { ["name"] = pod, ["namespace"] = cluster.Namespace },
        };
        await Eventually.True(
            async () =>
            {
                using var content = new StringContent(eviction.ToJsonString(), System.Text.Encoding.UTF8, "application/json");
                using var answer = await http.PostAsync($"/api/v1/namespaces/{cluster.Namespace}/pods/{pod}/eviction", content);
                Assert.True(
                    answer.IsSuccessStatusCode || answer.StatusCode == System.Net.HttpStatusCode.TooManyRequests,
                    await answer.Content.ReadAsStringAsync());
                return answer.IsSuccessStatusCode; // A disruption budget may forbid it for a while: kubectl drain waits and asks again too.
            },
            $"pod {pod} may be evicted");
    }
}
