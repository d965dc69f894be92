using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>CPUs, memory, ephemeral storage and places for pods count beside GPUs: a pinned pod that does not fit its node would wait there
/// for ever.</summary>
public sealed class NodeRoomTests
{
    private readonly SimulatedCluster _cluster = new();

    [Theory]
    [InlineData("""{"containers": [{"name": "a", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}, {"name": "b", "resources": {"limits": {"cpu": "2"}}}]}""", 2.5, 1024)]
    [InlineData("""{"initContainers": [{"name": "i", "resources": {"requests": {"cpu": "4", "memory": "100Mi"}}}], "containers": [{"name": "a", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}""", 4, 1024)]
    [InlineData("""{"initContainers": [{"name": "s", "restartPolicy": "Always", "resources": {"requests": {"memory": "512Mi"}}}], "containers": [{"name": "a", "resources": {"requests": {"memory": "1Gi"}}}]}""", 0, 1536)]
    [InlineData(
        """
        {"resources": {"requests": {"memory": "2Gi"}}, "overhead": {"memory": "64Mi"},
         "containers": [{"name": "a", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}
        """, 1, 2112)]
    [InlineData("""{"overhead": {"memory": "64Mi", "cpu": "250m"}, "containers": [{"name": "a"}]}""", 0.25, 64)]
    public void A_pod_asks_for_what_the_scheduler_counts(string spec, double cpus, int mebibytes)
    {
        var asks = NodeResources.Of(KubernetesJson.Read<V1Pod>(
            new JsonObject { ["metadata"] = new JsonObject { ["name"] = "p" }, ["spec"] = JsonNode.Parse(spec) },
            KubernetesJson.CachedFieldsOptions).Spec);
        Assert.Equal((decimal)cpus, asks.Cpus);
        Assert.Equal(mebibytes * 1048576m, asks.MemoryBytes);
        Assert.Equal(1, asks.Pods);
    }

    [Fact]
    public async Task Replicas_go_where_their_memory_fits_and_what_is_missing_is_said()
    {
        _cluster.Add(Node("n1", memory: "3800Mi"));
        _cluster.Add(Node("n2", memory: "3800Mi"));
        _cluster.Add(Given.Deployment(change: s =>
        {
            s.Replicas = 3;
            s.PodTemplate = Template("""{"memory": "3Gi"}""");
        }));
        await _cluster.Finish();
        Assert.Equal(["n1", "n2"], _cluster.Replicas().Select(r => r.Node!).Order(StringComparer.Ordinal));
        var condition = _cluster.Condition("GpusAllocated");
        Assert.Equal(("False", Shortage.InsufficientResources), (condition.Status, condition.Reason));
        Assert.Equal(
            "the nodes with 1 GPU free have no room for the pod: n1 (3 GiB of memory requested, 728 MiB left), n2 (3 GiB of "
            + "memory requested, 728 MiB left)", condition.Message);
    }

    [Theory]
    [InlineData("""{"cpu": "3"}""", "3 CPUs requested, 2 left")]
    [InlineData("""{"ephemeral-storage": "2Gi"}""", "2 GiB of ephemeral storage requested, 1 GiB left")]
    public async Task Other_peoples_pods_count_as_well(string requests, string lacks)
    {
        _cluster.Add(Node("n1", memory: "64Gi", cpu: "4", storage: "1Gi"));
        await _cluster.Server.CreateAsync<V1Pod>(
            new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = "other", ["namespace"] = "elsewhere" },
                ["spec"] = JsonNode.Parse(
                    """{"nodeName": "n1", "containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]}"""),
                ["status"] = new JsonObject { ["phase"] = "Running" },
            },
            CancellationToken.None);
        _cluster.Add(Given.Deployment(change: s => s.PodTemplate = Template(requests)));
        await _cluster.Settle();
        Assert.Empty(_cluster.Replicas());
        Assert.Contains($"n1 ({lacks})", _cluster.Condition("GpusAllocated").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_takes_no_more_pods_than_it_says()
    {
        _cluster.Add(Node("n1", memory: "64Gi", pods: "2"));
        _cluster.Add(Given.Deployment(change: s => s.Replicas = 3));
        await _cluster.Finish();
        Assert.Equal(2, _cluster.Replicas().Count);
        Assert.Contains("n1 (no room for one more pod)", _cluster.Condition("GpusAllocated").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_that_the_scheduler_does_not_put_on_its_node_is_placed_on_another_one()
    {
        _cluster.Add(Given.Node("n1"));
        _cluster.Add(Given.Node("n2"));
        _cluster.Add(Given.Deployment());
        await _cluster.Settle();
        var first = Assert.Single(_cluster.Replicas());
        _cluster.Server.Update<V1Pod>("ns", first.Name, p => p["status"] = JsonNode.Parse(
            """{"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: 1 node(s) didn't have free ports"}]}"""));
        await _cluster.Settle();
        Assert.Equal(first.Name, Assert.Single(_cluster.Replicas()).Name);

        _cluster.Time.Advance(TimeSpan.FromSeconds(30));
        await _cluster.Settle();
        _cluster.EndTerminatingPods();
        await _cluster.Settle();
        var second = Assert.Single(_cluster.Replicas());
        Assert.NotEqual(first.Node, second.Node);
    }

    [Fact]
    public void Quantities_beyond_counting_are_added_and_taken_away_again()
    {
        var absurd = NodeResources.Of(Spec("999999999999999999999999999999e30"));
        var ordinary = NodeResources.Of(Spec("2"));
        var sum = Enumerable.Repeat(absurd, 10_000).Aggregate(ordinary, (all, one) => all + one);
        Assert.Equal(ordinary, Enumerable.Repeat(absurd, 10_000).Aggregate(sum, (all, one) => all - one));
        Assert.NotNull(new NodeResources(64, 1 << 30, 1 << 30, 110).Lacks(absurd));

        static V1PodSpec Spec(string cpus) => KubernetesJson.Read<V1Pod>(
            JsonNode.Parse(
                $$$"""{"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "resources": {"requests": {"cpu": "{{{cpus}}}"} } }]} }""")!
                .AsObject(), KubernetesJson.CachedFieldsOptions).Spec;
    }

    [Theory]
    [InlineData("n1", 1)]
    [InlineData("cpus-only", 0)]
    [InlineData("gone", 0)]
    public void Only_room_on_nodes_with_gpus_is_room_that_somebody_waits_for(string node, int given)
    {
        GpuLedger ledger = new([Given.Node("n1"), Given.Node("cpus-only", gpus: 0)], []);
        var pod = Given.Replica("p", node, gpus: null);
        ledger.Put(pod);
        ledger.RemovePod(Operator.Controller.NamespacedName.Of(pod.Pod));
        Assert.Equal(given, ledger.RoomGiven);
    }

    private static V1Node Node(string name, string memory, string cpu = "64", string storage = "1Ti", string pods = "110") =>
        Given.Node(name, change: n => n.Status.Allocatable = new Dictionary<string, ResourceQuantity>
        {
            ["cpu"] = new(cpu),
            ["memory"] = new(memory),
            ["ephemeral-storage"] = new(storage),
            ["pods"] = new(pods),
        });

    private static JsonObject Template(string requests) => JsonNode.Parse(
        $$$"""{"spec": {"containers": [{"name": "worker", "resources": {"requests": {{{requests}}} } }]} }""")!.AsObject();
}
