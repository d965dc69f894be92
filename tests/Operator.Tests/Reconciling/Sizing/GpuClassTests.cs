using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Sizing;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

public sealed class GpuClassTests
{
    private const long Gib = 1L << 30;

    [Fact]
    public void GPUs_of_one_make_are_one_class_with_the_largest_hive_there_is() => Assert.Equal(
        [new GpuClass(64 * Gib, 4), new GpuClass(192 * Gib, 8)],
        Classes(Node("a", 206_141_652_992), Given.Node("b", 2), Node("c", 64 * Gib, hiveSize: 4)));

    [Fact]
    public void Hives_do_not_count_where_they_need_not() =>
    Assert.Equal([new GpuClass(64 * Gib, 8)], Classes(new GpuSpec { RequireSameHive = false }, "{}", Node("c", 64 * Gib, hiveSize: 4)));

    [Fact]
    public void The_label_tells_what_the_node_agent_does_not()
    {
        var node = Given.Node(
            "n", [.. Given.Gpus(4).Select(g => g with { VramBytes = null })], n => n.Metadata.Labels![GpuClass.VramLabel] = "256G");
        Assert.Equal([new GpuClass(256 * Gib, 4)], Classes(node));
        node.Metadata.Labels![GpuClass.VramLabel] = "much";
        Assert.Empty(Classes(node));
    }

    [Fact]
    public void Nodes_that_pods_can_never_go_to_do_not_count_and_those_that_are_away_do()
    {
        var away = Given.UnreadyNode("away", DateTimeOffset.UnixEpoch);
        away.Spec = new V1NodeSpec
        {
            Unschedulable = true,
            Taints = [new V1Taint { Key = "node.kubernetes.io/unreachable", Effect = "NoExecute" }]
        };
        var foreign = Node("foreign", 64 * Gib);
        foreign.Spec = new V1NodeSpec { Taints = [new V1Taint { Key = "team", Value = "x", Effect = "NoSchedule" }] };
        var other = Node("other", 64 * Gib, change: n => n.Metadata.Labels!["zone"] = "b");
        Assert.Equal([new GpuClass(192 * Gib, 8)], Classes(away, foreign));
        Assert.Equal([new GpuClass(64 * Gib, 8)], Classes(new GpuSpec(), """{"nodeSelector": {"zone": "b"}}""", away, other));
    }

    [Fact]
    public void Behind_a_device_plugin_the_smallest_GPUs_count_for_pods_may_land_there()
    {
        GpuSpec gpu = new() { Allocation = GpuAllocation.DevicePlugin };
        Assert.Equal(
            [new GpuClass(64 * Gib, 4)], Classes(gpu, "{}", Plugin("a", "64G", "4"), Plugin("b", "192G", "8"), Plugin("c", "16G", "0")));

        static V1Node Plugin(string name, string vram, string count) => Given.Node(name, [], n =>
        {
            n.Metadata.Labels![GpuClass.VramLabel] = vram;
            n.Status!.Allocatable = new Dictionary<string, ResourceQuantity> { ["amd.com/gpu"] = new(count) };
        });
    }

    private static V1Node Node(string name, long vramBytes, int hiveSize = 8, Action<V1Node>? change = null) =>
        Given.Node(name, [.. Given.Gpus(8, hiveSize).Select(g => g with { VramBytes = vramBytes })], change);

    private static IReadOnlyList<GpuClass> Classes(params V1Node[] nodes) => Classes(new GpuSpec(), "{}", nodes);

    private static IReadOnlyList<GpuClass> Classes(GpuSpec gpu, string podSpec, params V1Node[] nodes) =>
        GpuClass.Of(nodes.Select(n => new GpuNode(n)), gpu, PodRequirements.Of(JsonNode.Parse(podSpec)!.AsObject()));
}
