using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class GpuPackingTests
{
    [Fact]
    public void A_small_replica_goes_where_least_is_left_over()
    {
        GpuLedger ledger = new([Given.Node("a"), Given.Node("b"), Given.Node("c")], [Given.Replica("p", "b", "0,1,2,3,4"), Given.Replica("q", "c", "0,1,2,3,4,5")]);
        Assert.Equal("c:6", Find(Given.Request(), ledger));
        Assert.Equal("b:5,6", Find(Given.Request(groupSize: 2, gpu: new GpuSpec()), new GpuLedger([Given.Node("a"), Given.Node("b")], [Given.Replica("p", "b", "0,1,2,3,4")])));
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
        Shortage shortage = Explain(Given.Request(groupSize: 3, gpu: new GpuSpec { RequireSameHive = false }), ledger);
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
        Shortage shortage = Explain(Given.Request(), ledger);
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
                Given.Node("c", change: n => n.Status!.Allocatable = new() { ["amd.com/gpu"] = "8" }),
            ],
            []);
        string message = Explain(Given.Request(), ledger).Message;
        Assert.Contains("a (cordoned)", message, StringComparison.Ordinal);
        Assert.Contains("b (not ready)", message, StringComparison.Ordinal);
        Assert.Contains("c (its device plugin hands out amd.com/gpu", message, StringComparison.Ordinal);
    }

    private static string? Find(PlanRequest request, GpuLedger ledger) =>
        new GpuPacking(request, ledger).Find() is { } found ? $"{found.Node}:{string.Join(',', found.Indices)}" : null;

    private static Shortage Explain(PlanRequest request, GpuLedger ledger) => new GpuPacking(request, ledger).Explain();
}
