using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>What happens to replicas in a deployment's life: rollouts and rollbacks, scaling, evictions, nodes that go and come back.</summary>
public sealed class LifecycleTests
{
    private readonly SimulatedCluster cluster = new();

    [Fact]
    public async Task A_disruption_budget_lets_go_what_a_rollout_may()
    {
        await Start(replicas: 4, spec: s => s.Rollout = new RolloutSpec { MaxUnavailable = 2 });
        JsonObject budget = cluster.Server.Find<V1PodDisruptionBudget>("ns", "haiku")!;
        Assert.Equal(2, (int)budget["spec"]!["maxUnavailable"]!);
        Assert.Equal("haiku", (string?)budget["spec"]!["selector"]!["matchLabels"]![ApiNames.DeploymentLabel]);
        Assert.Equal("uid-of-haiku", (string?)budget["metadata"]!["ownerReferences"]![0]!["uid"]);
        Assert.Equal("AlwaysAllow", (string?)budget["spec"]!["unhealthyPodEvictionPolicy"]);

        cluster.ChangeSpec("haiku", s => s["rollout"] = new JsonObject { ["maxUnavailable"] = 0, ["maxSurge"] = 1 });
        await cluster.Settle();
        Assert.Equal(1, (int)cluster.Server.Find<V1PodDisruptionBudget>("ns", "haiku")!["spec"]!["maxUnavailable"]!); // 0 would block every drain.

        cluster.Server.Remove<V1PodDisruptionBudget>("ns", "haiku");
        await cluster.Settle();
        Assert.NotNull(cluster.Server.Find<V1PodDisruptionBudget>("ns", "haiku"));
    }

    [Fact]
    public async Task Somebody_elses_disruption_budget_is_not_taken_over()
    {
        await cluster.Server.CreateAsync<V1PodDisruptionBudget>(new JsonObject { ["metadata"] = new JsonObject { ["name"] = "haiku", ["namespace"] = "ns" } }, CancellationToken.None);
        await Start(replicas: 1);
        Assert.Contains("podDisruptionBudget 'haiku' already exists", cluster.Condition("Degraded").Message, StringComparison.Ordinal);
        Assert.Null(cluster.Server.Find<V1PodDisruptionBudget>("ns", "haiku")!["spec"]);
    }

    [Fact]
    public async Task Scaling_down_ends_the_least_loaded_pods()
    {
        await Start(replicas: 4);
        List<Replica> pods = [.. cluster.Replicas().OrderBy(r => r.Name, StringComparer.Ordinal)];
        int[] loads = [7, 0, 9, 2];
        for (int i = 0; i < pods.Count; i++)
        {
            string address = $"10.0.0.{i + 1}";
            cluster.LoadByAddress[address] = loads[i];
            cluster.Server.Update<V1Pod>("ns", pods[i].Name, p => p["status"]!["podIP"] = address);
        }

        cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await cluster.Settle();
        Assert.Equal([pods[1].Name, pods[3].Name], cluster.Replicas().Where(r => r.Terminating).Select(r => r.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_pod_that_tells_no_load_counts_as_busy_and_holds_nothing_up()
    {
        await Start(replicas: 3);
        string idle = cluster.Replicas().OrderBy(r => r.Created).First().Name;
        cluster.LoadByAddress["10.0.0.1"] = 0;
        cluster.Server.Update<V1Pod>("ns", idle, p => p["status"]!["podIP"] = "10.0.0.1");
        foreach (Replica silent in cluster.Replicas().Where(r => r.Name != idle))
        {
            cluster.Server.Update<V1Pod>("ns", silent.Name, p => p["status"]!["podIP"] = "10.0.0.9");
        }

        cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await cluster.Settle();
        Assert.Equal(idle, Assert.Single(cluster.Replicas(), r => r.Terminating).Name);
    }

    [Fact]
    public async Task To_zero_and_back()
    {
        await Start(replicas: 2);
        cluster.ChangeSpec("haiku", s => s["replicas"] = 0);
        await cluster.Settle();
        cluster.EndTerminatingPods();
        await cluster.Settle();
        Assert.Empty(cluster.Replicas());
        Assert.Equal(("True", "ScaledToZero"), (cluster.Condition("Ready").Status, cluster.Condition("Ready").Reason));
        cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await cluster.Finish();
        Assert.Equal("AllReplicasReady", cluster.Condition("Ready").Reason);
    }

    [Fact]
    public async Task A_rollout_replaces_pod_by_pod_and_a_rollback_keeps_what_is_left()
    {
        await Start(replicas: 3);
        List<string> original = Names();
        cluster.ChangeSpec("haiku", s => s["engine"] = new JsonObject { ["maxModelLen"] = 64 });
        await cluster.Settle();
        Assert.Equal("RollingOut", cluster.Condition("Progressing").Reason);
        Assert.Equal(2, cluster.Replicas().Count(r => r.Ready));

        cluster.ChangeSpec("haiku", s => s.Remove("engine"));
        await cluster.Finish();
        Assert.Equal(2, Names().Intersect(original).Count());
        Assert.Equal(("Complete", 3), (cluster.Condition("Progressing").Reason, cluster.Deployment().Status!.UpdatedReplicas));
        Assert.Equal(cluster.Deployment().Metadata.Generation, cluster.Deployment().Status!.ObservedGeneration);
    }

    [Fact]
    public async Task A_rollout_on_a_full_cluster_warns_of_nothing()
    {
        await Start(replicas: 8);
        cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 7);
        await cluster.Finish();
        Assert.Equal(8, cluster.Deployment().Status!.UpdatedReplicas);
        Assert.DoesNotContain("InsufficientGpus", cluster.Events());
    }

    [Fact]
    public async Task A_pod_that_may_not_be_deleted_gets_no_replacement_beyond_what_may_surge()
    {
        await Start(replicas: 3);
        cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 7);
        cluster.Deliver();
        cluster.Server.BeforeCall = (verb, kind, _) =>
        {
            if (verb == "delete" && kind == "Pod")
            {
                throw new KubernetesException(403, "Forbidden", "a webhook says no");
            }
        };
        await Assert.ThrowsAsync<KubernetesException>(() => cluster.Reconcile());
        Assert.Equal(3, cluster.Replicas().Count);
        cluster.Server.BeforeCall = null;
        await cluster.Finish();
        Assert.Equal(3, cluster.Deployment().Status!.UpdatedReplicas);
    }

    [Fact]
    public async Task An_evicted_pod_is_replaced_after_it_gave_its_gpus_back()
    {
        await Start(replicas: 8);
        string evicted = Names()[0];
        await cluster.Server.DeleteAsync<V1Pod>("ns", evicted, null, null, CancellationToken.None); // What the eviction subresource ends in.
        await cluster.Settle();
        Assert.Equal(8, cluster.Replicas().Count);
        await cluster.Finish();
        Assert.Equal(8, cluster.Replicas().Count(r => r.Ready));
        Assert.DoesNotContain(evicted, Names());
    }

    [Fact]
    public async Task A_node_that_stops_answering_is_given_up_in_time_and_its_gpus_only_when_it_returns()
    {
        await Start(replicas: 4, spec: s => s.TensorParallelSize = 2, nodes: ["n1", "n2"]);
        Assert.All(cluster.Replicas(), r => Assert.Equal("n1", r.Node));
        cluster.Server.Update<V1Node>(null, "n1", n => n["status"]!["conditions"] = new JsonArray(new JsonObject
        {
            ["type"] = "Ready",
            ["status"] = "Unknown",
            ["lastTransitionTime"] = cluster.Time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture),
        }));
        cluster.Deliver();
        ReconcileResult result = await cluster.Reconcile();
        Assert.InRange(result.RequeueAfter!.Value, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(5));
        Assert.DoesNotContain(cluster.Replicas(), r => r.Terminating);

        cluster.Time.Advance(TimeSpan.FromMinutes(5));
        await cluster.Settle();
        Assert.Equal(4, cluster.Replicas().Count(r => r is { Node: "n1", Terminating: true }));
        Assert.Equal(4, cluster.Replicas().Count(r => r is { Node: "n2", Terminating: false }));

        cluster.Server.Update<V1Node>(null, "n1", n => n["status"]!["conditions"]![0]!["status"] = "True");
        cluster.ChangeSpec("haiku", s => s["replicas"] = 6);
        await cluster.Settle();
        Assert.Empty(cluster.SharedGpus());
        Assert.Equal(4, cluster.Replicas().Count(r => !r.Terminating)); // n2 is full, n1 still held by what may run there.
        cluster.EndTerminatingPods();
        await cluster.Finish();
        Assert.Equal(6, cluster.Replicas().Count(r => r.Ready));
        Assert.Empty(cluster.SharedGpus());
    }

    [Fact]
    public async Task Nodes_of_a_device_plugin_are_refused_in_words()
    {
        cluster.Add(Given.Node("n1", change: n => n.Status!.Allocatable = new Dictionary<string, ResourceQuantity> { ["amd.com/gpu"] = new("8") }));
        cluster.Add(Given.Deployment());
        await cluster.Settle();
        Assert.Equal(("False", "DevicePluginConflict"), (cluster.Condition("GpusAllocated").Status, cluster.Condition("GpusAllocated").Reason));
        Assert.Contains("n1 (its device plugin hands out amd.com/gpu", cluster.Condition("GpusAllocated").Message, StringComparison.Ordinal);
        Assert.Contains("DevicePluginConflict", cluster.Events());
    }

    private List<string> Names() => [.. cluster.Replicas().Where(r => !r.Terminating).Select(r => r.Name).Order(StringComparer.Ordinal)];

    private async Task Start(int replicas, Action<ModelDeploymentSpec>? spec = null, string[]? nodes = null)
    {
        foreach (string node in nodes ?? ["n1"])
        {
            cluster.Add(Given.Node(node));
        }

        cluster.Add(Given.Deployment(change: s =>
        {
            s.Replicas = replicas;
            spec?.Invoke(s);
        }));
        await cluster.Finish();
    }
}
