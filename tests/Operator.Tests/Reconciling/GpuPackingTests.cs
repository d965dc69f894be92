using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class GpuPackingTests
{
    [Fact]
    public void A_small_replica_goes_where_least_is_left_over()
    {
        GpuLedger ledger = new(
            [Given.Node("a"), Given.Node("b"), Given.Node("c")],
            [Given.Replica("p", "b", "0,1,2,3,4"), Given.Replica("q", "c", "0,1,2,3,4,5")]);
        Assert.Equal("c:6", Find(Given.Request(), ledger));
        Assert.Equal(
            "b:5,6",
            Find(Given.Request(groupSize: 2, gpu: new GpuSpec()),
                new GpuLedger([Given.Node("a"), Given.Node("b")], [Given.Replica("p", "b", "0,1,2,3,4")])));
    }

    [Fact]
    public void Equal_nodes_are_taken_by_name() =>
        Assert.Equal("a:0,1", Find(Given.Request(groupSize: 2), new GpuLedger([Given.Node("b"), Given.Node("a")], [])));

    [Fact]
    public void A_group_stays_on_one_numa_node_where_it_can()
    {
        GpuLedger ledger = new([Given.Node("a")], [Given.Replica("p", "a", "0,1")]);
        Assert.Equal("a:2,3", Find(Given.Request(groupSize: 2), ledger));
        Assert.Equal("a:4,5,6", Find(Given.Request(groupSize: 3), ledger));
        Assert.Equal("a:2,3,4,5,6", Find(Given.Request(groupSize: 5), ledger));
    }

    /// <summary>Free GPUs: a 2–5 (two NUMA nodes), b all eight, c 0, 1, 4, 5, 6 (NUMA nodes of two and three).</summary>
    [Theory]
    [InlineData(1, "a:2")] // a and c both have room for four at most, b for eight; a has fewer to spare than c
    [InlineData(2, "a:2,3")] // 2 and 3 are on one NUMA node, and a has fewer to spare than c
    [InlineData(3, "c:4,5,6")] // of the groups that hold four, only c has three on one NUMA node
    [InlineData(4, "a:2,3,4,5")] // b has four on one NUMA node, but is the only whole board
    [InlineData(5, "c:0,1,4,5,6")]
    [InlineData(6, "b:0,1,2,3,4,5")]
    public void Large_groups_stay_whole_first_and_a_numa_node_is_kept_to_second(int size, string expected)
    {
        GpuLedger ledger = new(
            [Given.Node("a"), Given.Node("b"), Given.Node("c")],
            [Given.Replica("p", "a", "0,1,6,7"), Given.Replica("q", "c", "2,3,7")]);
        Assert.Equal(expected, Find(Given.Request(groupSize: size), ledger));
    }

    [Fact]
    public void Packing_keeps_boards_free_for_replicas_of_eight()
    {
        GpuLedger ledger = new(Enumerable.Range(0, 4).Select(i => Given.Node($"n{i}")), []);
        GpuPacking small = new(Given.Request(groupSize: 2), ledger);
        Assert.Equal(["n0", "n0", "n0", "n0", "n1"], Enumerable.Range(0, 5).Select(_ => small.Take()!.Node));
        GpuPacking large = new(Given.Request(groupSize: 8), ledger);
        Assert.Equal(["n2", "n3"], Enumerable.Range(0, 2).Select(_ => large.Take()!.Node));
        Assert.Null(large.Take());
    }

    [Fact]
    public void Spreading_goes_where_the_deployment_has_fewest_replicas()
    {
        GpuLedger ledger = new([Given.Node("a"), Given.Node("b", 4), Given.Node("c")], [Given.Replica("other", "c", "0")]);
        var request = Given.Request(groupSize: 2, gpu: new GpuSpec { Placement = GpuPlacementPolicy.Spread });
        GpuPacking packing = new(request, ledger, [Given.Replica("own", "a", null)]);
        Assert.Equal(["b:0,1", "c:1,2", "b:2,3", "c:4,5", "a:0,1"], Enumerable.Range(0, 5).Select(_ => Text(packing.Take())));
    }

    [Fact]
    public void Partitions_are_devices_of_their_own()
    {
        List<GpuDevice> partitions = [
            .. Enumerable.Range(0, 16)
                .Select(
                    i =>
                        new GpuDevice { Index = i, Uuid = $"GPU-{(i / 8) + 1:x16}", Hive = "7", NumaNode = i / 8, VramBytes = 24L << 30 })];
        GpuLedger ledger = new([Given.Node("cpx", partitions)], [Given.Replica("p", "cpx", "0,1,2")]);
        var placement = new GpuPacking(Given.Request(groupSize: 4), ledger).Find()!;
        Assert.Equal([3, 4, 5, 6], placement.Indices);
        Assert.False(placement.HasUuids); // Eight partitions answer to one UUID; only indices tell them apart.
    }

    [Theory]
    [InlineData("amd.com/gpu", true)]
    [InlineData("amd.com/cpx_nps4", true)]
    [InlineData("amd.com/spx", true)]
    [InlineData("amd.com/gpu-health", false)]
    [InlineData("nvidia.com/gpu", false)]
    [InlineData("example.com/cpx", false)]
    public void A_node_whose_device_plugin_hands_out_the_gpus_is_refused(string resource, bool refused)
    {
        var node = Given.Node(
            "n",
            change: n => n.Status!.Allocatable = new Dictionary<string, ResourceQuantity> { ["cpu"] = new("8"), [resource] = new("8") });
        GpuLedger ledger = new([node], []);
        Assert.Equal(refused, Find(Given.Request(), ledger) is null);
        if (refused)
        {
            var shortage = Explain(Given.Request(), ledger);
            Assert.Equal("DevicePluginConflict", shortage.Reason);
            Assert.Contains(
                $"n (its device plugin hands out {resource}: the kubelet would book the same GPUs again)", shortage.Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_group_no_node_could_ever_hold_is_told_apart_from_a_full_cluster()
    {
        GpuLedger ledger = new([Given.Node("n")], [Given.Replica("p", "n", "0")]);
        Assert.EndsWith(
            "even an empty node has at most 8, so a tensorParallelSize of 16 cannot be placed here",
            Explain(Given.Request(groupSize: 16), ledger).Message, StringComparison.Ordinal);
        Assert.DoesNotContain("even an empty node", Explain(Given.Request(groupSize: 8), ledger).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_shares_a_hive_when_it_must_and_need_not_when_it_need_not()
    {
        GpuLedger ledger = new([Given.Node("a", 8, hiveSize: 4)], [Given.Replica("p", "a", "0,4")]);
        Assert.Null(Find(Given.Request(groupSize: 4), ledger));
        Assert.Equal("a:1,2,3", Find(Given.Request(groupSize: 3), ledger));
        Assert.Equal("a:1,2,3,5", Find(Given.Request(groupSize: 4, gpu: new GpuSpec { RequireSameHive = false }), ledger));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("0")]
    public void Gpus_in_no_hive_serve_alone_but_not_together_when_a_hive_is_asked_for(string? hive)
    {
        List<GpuDevice> gpus = [.. Given.Gpus(2).Select(g => g with { Hive = hive })];
        GpuLedger ledger = new([Given.Node("a", gpus)], []);
        Assert.Equal("a:0", Find(Given.Request(), ledger));
        Assert.Null(Find(Given.Request(groupSize: 2), ledger));
        Assert.Contains("requireSameHive: false", Explain(Given.Request(groupSize: 2), ledger).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Simulated_gpus_need_no_hive()
    {
        List<GpuDevice> gpus = [.. Enumerable.Range(0, 8).Select(i => new GpuDevice { Index = i, Simulated = true })];
        Assert.Equal("a:0,1,2", Find(Given.Request(groupSize: 3), new GpuLedger([Given.Node("a", gpus)], [])));
    }

    [Fact]
    public void Tells_how_many_are_needed_and_what_the_largest_group_is()
    {
        GpuLedger ledger = new([Given.Node("local-0")], [Given.Replica("p", "local-0", "0,1,2,3,4,5")]);
        var shortage = Explain(Given.Request(groupSize: 3, gpu: new GpuSpec { RequireSameHive = false }), ledger);
        Assert.Equal("InsufficientGpus", shortage.Reason);
        Assert.Equal("needs 3 GPUs on one node; the largest free group is 2 (node local-0: 2 free of 8)", shortage.Message);
    }

    [Fact]
    public void Tells_when_nothing_at_all_is_free()
    {
        GpuLedger ledger = new([Given.Node("n", 1)], [Given.Replica("p", "n", "0")]);
        Assert.Equal("needs 1 GPU on one node; no GPU is free on node n (0 free of 1)", Explain(Given.Request(), ledger).Message);
    }

    [Fact]
    public void Tells_when_no_node_has_gpus()
    {
        GpuLedger ledger = new([Given.Node("n", change: n => n.Metadata.Annotations = null)], []);
        var shortage = Explain(Given.Request(), ledger);
        Assert.Equal("NoGpuNodes", shortage.Reason);
        Assert.Contains("node agent", shortage.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tells_why_each_node_cannot_be_used()
    {
        GpuLedger ledger = new(
            [
                Given.Node("a", change: n => n.Spec.Unschedulable = true),
                Given.Node("b", change: n => n.Status!.Conditions![0].Status = "Unknown"),
                Given.Node(
                    "c", change: n => n.Status!.Allocatable = new Dictionary<string, ResourceQuantity> { ["amd.com/gpu"] = new("8") }),
            ],
            []);
        var message = Explain(Given.Request(), ledger).Message;
        Assert.Contains("a (cordoned)", message, StringComparison.Ordinal);
        Assert.Contains("b (not ready)", message, StringComparison.Ordinal);
        Assert.Contains("c (its device plugin hands out amd.com/gpu", message, StringComparison.Ordinal);
    }

    public static TheoryData<int> Seeds => PropertySeeds.Take(20);

    /// <summary>What is told of the nodes is what is done: the first verdict is the choice, every node has one, and what is preferred has a
    /// reason that names the other.</summary>
    [Theory, MemberData(nameof(Seeds))]
    public void Verdicts_tell_of_every_node_and_begin_with_the_choice(int seed)
    {
        Random random = new(seed);
        List<V1Node> nodes = [.. Enumerable.Range(0, random.Next(1, 8)).Select(i => Given.Node(
            $"n{i}", gpus: random.Next(1, 9), hiveSize: random.Next(1, 9),
            change: node => node.Spec.Unschedulable = random.Next(5) == 0))];
        List<Replica> pods = [.. nodes.SelectMany(node => Enumerable.Range(0, 8).Where(_ => random.Next(3) == 0)
            .Select(gpu => Given.Replica($"{node.Metadata.Name}-{gpu}", node.Metadata.Name, $"{gpu}")))];
        GpuLedger ledger = new(nodes, pods);
        var request = Given.Request(
            groupSize: random.Next(1, 5),
            gpu: new GpuSpec { RequireSameHive = random.Next(2) == 0, Placement = (GpuPlacementPolicy)random.Next(2) });
        GpuPacking packing = new(request, ledger, pods.Where(_ => random.Next(2) == 0));

        var verdicts = packing.Verdicts();

        Assert.Equal(nodes.Select(node => node.Metadata.Name).Order(), verdicts.Select(verdict => verdict.Node.Name).Order());
        Assert.Equal(packing.Find()?.Node, verdicts[0].Group?.Node.Name);
        Assert.All(verdicts, verdict => Assert.NotEqual(verdict.Group is null, verdict.Problem is null));
        Assert.All(
            verdicts.Skip(1).Where(verdict => verdict.Group is not null),
            verdict => Assert.Contains(
                verdict.Node.Name, packing.Preference(verdicts[0].Group!, verdict.Group!), StringComparison.Ordinal));
    }

    private static string? Find(PlanRequest request, GpuLedger ledger) => Text(new GpuPacking(request, ledger).Find());

    private static string? Text(GpuPlacement? found) => found is null ? null : $"{found.Node}:{string.Join(',', found.Indices)}";

    private static Shortage Explain(PlanRequest request, GpuLedger ledger) => new GpuPacking(request, ledger).Explain();
}
