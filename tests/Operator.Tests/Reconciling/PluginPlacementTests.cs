using System.Text.RegularExpressions;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Placement with <c>gpu.deviceAccess: Plugin</c>, and claims of a DRA driver.</summary>
public sealed partial class PluginPlacementTests
{
    private static readonly GpuSpec Plugin = new() { DeviceAccess = DeviceAccess.Plugin };

    [Fact]
    public void Only_nodes_whose_agent_is_registered_are_chosen()
    {
        GpuLedger ledger = new(
            [Given.Node("a", 2), Given.PluginNode("b", 2, "there is no kubelet.sock"), Given.PluginNode("c")], []);
        Assert.Equal("c", new GpuPacking(Given.Request(gpu: Plugin), ledger).Find()!.Node);
        Assert.Equal("a", new GpuPacking(Given.Request(), ledger).Find()!.Node);
    }

    [Fact]
    public void Without_any_the_condition_says_what_each_node_lacks()
    {
        GpuLedger ledger = new(
            [Given.Node("a"), Given.PluginNode("b", 8, "the kubelet refuses: no"), Given.PluginNode("c", 2, unhealthy: [0, 1])], []);
        GpuPacking packing = new(Given.Request(gpu: Plugin), ledger);
        Assert.Null(packing.Find());
        var shortage = packing.Explain();
        Assert.Equal("DevicePluginNotReady", shortage.Reason);
        Assert.Contains("a (its node agent has no device plugin", shortage.Message, StringComparison.Ordinal);
        Assert.Contains("b (its node agent's device plugin is not registered: the kubelet refuses: no)", shortage.Message);
        Assert.Contains("c (its kubelet has none of its GPUs", shortage.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_gpu_that_the_kubelet_has_not_is_left_out_and_booked_ones_are_not_given_twice()
    {
        GpuLedger ledger = new([Given.PluginNode("a", unhealthy: [1, 2])], [Given.Replica("p", "a", "0,3")]);
        Assert.Equal([4, 5, 6, 7], new GpuPacking(Given.Request(groupSize: 4, gpu: Plugin), ledger).Take()!.Indices);
        GpuPacking packing = new(Given.Request(gpu: Plugin), ledger);
        Assert.Null(packing.Find());
        Assert.Contains("no GPU is free", packing.Explain().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Resource_names_are_what_kubernetes_takes_for_every_kind_of_uuid()
    {
        string?[] uuids = [null, "GPU-00AB12cd34ef5678", "GPU-XX", "GPU-../../../../../.", new string('a', 200)];
        List<GpuDevice> gpus = [.. uuids.Select((uuid, i) => new GpuDevice { Index = i, Uuid = uuid })];
        List<string> names = [.. gpus.Select(gpu => GpuResource.NameOf(gpu, GpuResource.HaveUniqueUuids(gpus)))];
        Assert.All(names, name => Assert.Matches(QualifiedName(), name));
        Assert.Equal("serving.cluster.sh/gpu-00ab12cd34ef5678", names[1]);
        Assert.Equal("serving.cluster.sh/gpu-index-3", names[3]);
        Assert.Equal("serving.cluster.sh/gpu-index-1", GpuResource.NameOf(gpus[1], uuidsAreUnique: false));
    }

    [Fact]
    public async Task A_refused_node_makes_a_condition_and_a_registered_one_a_pod()
    {
        SimulatedCluster cluster = new();
        cluster.Add(Given.Node("n1"));
        cluster.Add(Given.Deployment(change: s => s.Gpu.DeviceAccess = DeviceAccess.Plugin));
        await cluster.Settle();
        Assert.Equal(
            ("False", "DevicePluginNotReady"), (cluster.Condition("GpusAllocated").Status, cluster.Condition("GpusAllocated").Reason));
        Assert.Empty(cluster.Server.All<V1Pod>());

        cluster.Add(Given.PluginNode("n2"));
        await cluster.Settle();
        Assert.Equal("n2", cluster.Server.All<V1Pod>().Single().Metadata.Annotations![ApiNames.GpuNodeAnnotation]);
    }

    [Fact]
    public async Task A_claim_template_is_made_once_for_each_degree_and_made_again_when_it_is_gone()
    {
        SimulatedCluster cluster = new();
        cluster.Add(Given.Deployment(change: s => s.Gpu.Allocation = GpuAllocation.ResourceClaim));
        await cluster.Settle();
        Assert.Equal(["haiku-gpus-1"], cluster.Server.All<V1ResourceClaimTemplate>().Select(t => t.Metadata.Name));
        Assert.Equal("ResourceClaim", cluster.Condition("GpusAllocated").Reason);

        cluster.ChangeSpec("haiku", spec => spec["tensorParallelSize"] = 2);
        await cluster.Settle();
        Assert.Equal(
            ["haiku-gpus-1", "haiku-gpus-2"],
            cluster.Server.All<V1ResourceClaimTemplate>().Select(t => t.Metadata.Name).Order(StringComparer.Ordinal));

        cluster.Server.Remove<V1ResourceClaimTemplate>("ns", "haiku-gpus-2");
        cluster.ChangeSpec("haiku", spec => spec["drainSeconds"] = 7);
        await cluster.Settle();
        Assert.Equal(2, cluster.Server.All<V1ResourceClaimTemplate>().Count);
    }

    [Fact]
    public async Task A_settled_deployment_does_not_ask_for_its_claim_template()
    {
        SimulatedCluster cluster = new();
        cluster.Add(Given.Deployment(change: s => s.Gpu.Allocation = GpuAllocation.ResourceClaim));
        await cluster.Finish();
        await cluster.Settle();
        var asked = Asked();
        await cluster.Settle();
        Assert.Equal(asked, Asked());

        cluster.ChangeSpec("haiku", spec => spec["replicas"] = 2);
        await cluster.Settle();
        Assert.True(Asked() > asked);

        int Asked() => cluster.Server.Calls.Count(call => call == "get ResourceClaimTemplate haiku-gpus-1");
    }

    [GeneratedRegex(@"^[a-z0-9.]+/[A-Za-z0-9][-A-Za-z0-9_.]{0,61}[A-Za-z0-9]\z")]
    private static partial Regex QualifiedName();
}
