using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>What happens to replicas in a deployment's life: rollouts and rollbacks, scaling, evictions, nodes that go and come
/// back.</summary>
public sealed class LifecycleTests
{
    private readonly SimulatedCluster _cluster = new();

    [Fact]
    public async Task A_disruption_budget_lets_go_what_a_rollout_may()
    {
        await Start(replicas: 4, spec: s => s.Rollout = new RolloutSpec { MaxUnavailable = 2 });
        var budget = _cluster.Server.Find<V1PodDisruptionBudget>("ns", "haiku")!;
        Assert.Equal(2, (int)budget["spec"]!["maxUnavailable"]!);
        Assert.Equal("haiku", (string?)budget["spec"]!["selector"]!["matchLabels"]![ApiNames.DeploymentLabel]);
        Assert.Equal("uid-of-haiku", (string?)budget["metadata"]!["ownerReferences"]![0]!["uid"]);
        Assert.Equal("AlwaysAllow", (string?)budget["spec"]!["unhealthyPodEvictionPolicy"]);

        _cluster.ChangeSpec("haiku", s => s["rollout"] = new JsonObject { ["maxUnavailable"] = 0, ["maxSurge"] = 1 });
        await _cluster.Settle();
        // 0 would block every drain.
        Assert.Equal(1, (int)_cluster.Server.Find<V1PodDisruptionBudget>("ns", "haiku")!["spec"]!["maxUnavailable"]!);

        _cluster.Server.Remove<V1PodDisruptionBudget>("ns", "haiku");
        await _cluster.Settle();
        Assert.NotNull(_cluster.Server.Find<V1PodDisruptionBudget>("ns", "haiku"));
    }

    [Fact]
    public async Task Somebody_elses_disruption_budget_is_not_taken_over()
    {
        await _cluster.Server.CreateAsync<V1PodDisruptionBudget>(
            new JsonObject { ["metadata"] = new JsonObject { ["name"] = "haiku", ["namespace"] = "ns" } }, CancellationToken.None);
        await Start(replicas: 1);
        Assert.Contains("podDisruptionBudget 'haiku' already exists", _cluster.Condition("Degraded").Message, StringComparison.Ordinal);
        Assert.Null(_cluster.Server.Find<V1PodDisruptionBudget>("ns", "haiku")!["spec"]);
    }

    [Fact]
    public async Task Scaling_down_ends_the_least_loaded_pods()
    {
        await Start(replicas: 4);
        List<Replica> pods = [.. _cluster.Replicas().OrderBy(r => r.Name, StringComparer.Ordinal)];
        int[] loads = [7, 0, 9, 2];
        for (var i = 0; i < pods.Count; i++)
        {
            var address = $"10.0.0.{i + 1}";
            _cluster.LoadByAddress[address] = loads[i];
            _cluster.Server.Update<V1Pod>("ns", pods[i].Name, p => p["status"]!["podIP"] = address);
        }

        _cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await _cluster.Settle();
        Assert.Equal(
            [pods[1].Name, pods[3].Name], _cluster.Replicas().Where(r => r.Terminating).Select(r => r.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_pod_that_tells_no_load_counts_as_busy_and_holds_nothing_up()
    {
        await Start(replicas: 3);
        var idle = _cluster.Replicas().OrderBy(r => r.Created).First().Name;
        _cluster.LoadByAddress["10.0.0.1"] = 0;
        _cluster.Server.Update<V1Pod>("ns", idle, p => p["status"]!["podIP"] = "10.0.0.1");
        foreach (var silent in _cluster.Replicas().Where(r => r.Name != idle))
        {
            _cluster.Server.Update<V1Pod>("ns", silent.Name, p => p["status"]!["podIP"] = "10.0.0.9");
        }

        _cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await _cluster.Settle();
        Assert.Equal(idle, Assert.Single(_cluster.Replicas(), r => r.Terminating).Name);
    }

    [Fact]
    public async Task To_zero_and_back()
    {
        await Start(replicas: 2);
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 0);
        await _cluster.Settle();
        _cluster.EndTerminatingPods();
        await _cluster.Settle();
        Assert.Empty(_cluster.Replicas());
        Assert.Equal(("True", "ScaledToZero"), (_cluster.Condition("Ready").Status, _cluster.Condition("Ready").Reason));
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 2);
        await _cluster.Finish();
        Assert.Equal("AllReplicasReady", _cluster.Condition("Ready").Reason);
    }

    [Fact]
    public async Task A_rollout_replaces_pod_by_pod_and_a_rollback_keeps_what_is_left()
    {
        await Start(replicas: 3);
        var original = Names();
        _cluster.ChangeSpec("haiku", s => s["engine"] = new JsonObject { ["maxModelLen"] = 64 });
        await _cluster.Settle();
        Assert.Equal("RollingOut", _cluster.Condition("Progressing").Reason);
        Assert.Equal(2, _cluster.Replicas().Count(r => r.Ready));

        _cluster.ChangeSpec("haiku", s => s.Remove("engine"));
        await _cluster.Finish();
        Assert.Equal(2, Names().Intersect(original).Count());
        Assert.Equal(("Complete", 3), (_cluster.Condition("Progressing").Reason, _cluster.Deployment().Status!.UpdatedReplicas));
        Assert.Equal(_cluster.Deployment().Metadata.Generation, _cluster.Deployment().Status!.ObservedGeneration);
    }

    [Fact]
    public async Task A_rollout_on_a_full_cluster_warns_of_nothing()
    {
        await Start(replicas: 8);
        _cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 7);
        await _cluster.Finish();
        Assert.Equal(8, _cluster.Deployment().Status!.UpdatedReplicas);
        Assert.DoesNotContain("InsufficientGpus", _cluster.Events());
    }

    [Fact]
    public async Task A_pod_that_may_not_be_deleted_gets_no_replacement_beyond_what_may_surge()
    {
        await Start(replicas: 3);
        _cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 7);
        _cluster.Deliver();
        _cluster.Server.BeforeCall = (verb, kind, _) =>
        {
            if (verb == "delete" && kind == "Pod")
            {
                throw new KubernetesException(403, "Forbidden", "a webhook says no");
            }
        };
        Assert.Equal("a webhook says no", (await _cluster.Reconcile()).Problem);
        Assert.Equal(3, _cluster.Replicas().Count);
        var deletions = _cluster.Server.Calls.Count(call => call.StartsWith("delete Pod", StringComparison.Ordinal));
        await _cluster.Settle();
        Assert.Equal(deletions, _cluster.Server.Calls.Count(call => call.StartsWith("delete Pod", StringComparison.Ordinal)));
        _cluster.Server.BeforeCall = null;
        _cluster.Time.Advance(TimeSpan.FromMilliseconds(250));
        await _cluster.Finish();
        Assert.Equal(3, _cluster.Deployment().Status!.UpdatedReplicas);
    }

    [Fact]
    public async Task An_evicted_pod_is_replaced_after_it_gave_its_gpus_back()
    {
        await Start(replicas: 8);
        var evicted = Names()[0];
        // What the eviction subresource ends in.
        await _cluster.Server.DeleteAsync<V1Pod>("ns", evicted, null, null, CancellationToken.None);
        await _cluster.Settle();
        Assert.Equal(8, _cluster.Replicas().Count);
        await _cluster.Finish();
        Assert.Equal(8, _cluster.Replicas().Count(r => r.Ready));
        Assert.DoesNotContain(evicted, Names());
    }

    [Fact]
    public async Task A_node_that_stops_answering_is_given_up_in_time_and_its_gpus_only_when_it_returns()
    {
        await Start(replicas: 4, spec: s => s.TensorParallelSize = 2, nodes: ["n1", "n2"]);
        Assert.All(_cluster.Replicas(), r => Assert.Equal("n1", r.Node));
        _cluster.Server.Update<V1Node>(null, "n1", n => n["status"]!["conditions"] = new JsonArray(new JsonObject
        {
            ["type"] = "Ready",
            ["status"] = "Unknown",
            ["lastTransitionTime"] = _cluster.Time.GetUtcNow()
                .ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture),
        }));
        _cluster.Deliver();
        var result = await _cluster.Reconcile();
        Assert.InRange(result.RequeueAfter!.Value, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(5));
        Assert.DoesNotContain(_cluster.Replicas(), r => r.Terminating);

        _cluster.Time.Advance(TimeSpan.FromMinutes(5));
        await _cluster.Settle();
        Assert.Equal(4, _cluster.Replicas().Count(r => r is { Node: "n1", Terminating: true }));
        Assert.Equal(4, _cluster.Replicas().Count(r => r is { Node: "n2", Terminating: false }));

        _cluster.Server.Update<V1Node>(null, "n1", n => n["status"]!["conditions"]![0]!["status"] = "True");
        _cluster.ChangeSpec("haiku", s => s["replicas"] = 6);
        await _cluster.Settle();
        Assert.Empty(_cluster.SharedGpus());
        Assert.Equal(4, _cluster.Replicas().Count(r => !r.Terminating)); // n2 is full, n1 still held by what may run there.
        _cluster.EndTerminatingPods();
        await _cluster.Finish();
        Assert.Equal(6, _cluster.Replicas().Count(r => r.Ready));
        Assert.Empty(_cluster.SharedGpus());
    }

    [Fact]
    public async Task Nodes_of_a_device_plugin_are_refused_in_words()
    {
        _cluster.Add(
            Given.Node("n1", change: n => n.Status!.Allocatable = new Dictionary<string, ResourceQuantity> { ["amd.com/gpu"] = new("8") }));
        _cluster.Add(Given.Deployment());
        await _cluster.Settle();
        Assert.Equal(
            ("False", "DevicePluginConflict"), (_cluster.Condition("GpusAllocated").Status, _cluster.Condition("GpusAllocated").Reason));
        Assert.Contains(
            "n1 (its device plugin hands out amd.com/gpu", _cluster.Condition("GpusAllocated").Message, StringComparison.Ordinal);
        Assert.Contains("DevicePluginConflict", _cluster.Events());
    }

    private List<string> Names() => [.. _cluster.Replicas().Where(r => !r.Terminating).Select(r => r.Name).Order(StringComparer.Ordinal)];

    private async Task Start(int replicas, Action<ModelDeploymentSpec>? spec = null, string[]? nodes = null)
    {
        foreach (var node in nodes ?? ["n1"])
        {
            _cluster.Add(Given.Node(node));
        }

        _cluster.Add(Given.Deployment(change: s =>
        {
            s.Replicas = replicas;
            spec?.Invoke(s);
        }));
        await _cluster.Finish();
    }
}
