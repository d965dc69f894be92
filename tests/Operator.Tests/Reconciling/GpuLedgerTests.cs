using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class GpuLedgerTests
{
    private static readonly V1Node Node = Given.Node("n1", 4);

    [Theory]
    [InlineData("Pending", false, "2,3")]
    [InlineData("Running", false, "2,3")]
    [InlineData("Unknown", false, "2,3")]
    [InlineData("Running", true, "2,3")]
    [InlineData("Failed", false, "0,1,2,3")]
    [InlineData("Succeeded", false, "0,1,2,3")]
    public void A_pod_holds_its_gpus_until_it_is_gone_or_has_ended(string phase, bool terminating, string free)
    {
        GpuLedger ledger = new([Node], [Given.Replica("p", gpus: "0,1", phase: phase, terminating: terminating)]);
        Assert.Equal(free, Free(ledger));
    }

    [Fact]
    public void A_pod_that_was_never_scheduled_holds_what_was_chosen_for_it()
    {
        var pod = Given.Pod("p", gpus: "3");
        pod.Spec.NodeName = null;
        pod.Status = null;
        Assert.Equal("0,1,2", Free(new GpuLedger([Node], [Replica.Of(pod)])));
    }

    [Fact]
    public void A_pod_with_an_unreadable_annotation_holds_the_whole_node() =>
        Assert.Equal("", Free(new GpuLedger([Node], [Given.Replica("p", gpus: "0,x")])));

    [Fact]
    public void Pods_on_other_nodes_and_without_gpus_hold_nothing_here()
    {
        GpuLedger ledger = new(
            [Node, Given.Node("n2", 4)], [Given.Replica("a", "n2", "0"), Given.Replica("b", "gone", "1"), Given.Replica("c", "n1", null)]);
        Assert.Equal("0,1,2,3", Free(ledger));
    }

    [Fact]
    public void Of_two_pods_that_claim_one_gpu_the_younger_is_in_the_wrong()
    {
        var young = Given.Replica("a", gpus: "1,2", age: 1);
        var old = Given.Replica("b", gpus: "0,1", age: 9);
        GpuLedger ledger = new([Node], [young, old]);
        Assert.Equal("a", Assert.Single(ledger.DoubleBooked).Name);
        Assert.Equal("3", Free(ledger)); // Both run, so both hold.
    }

    [Fact]
    public void Booking_what_is_held_is_refused()
    {
        GpuLedger ledger = new([Node], [Given.Replica("p", gpus: "0")]);
        GpuPlacement placement = new("n1", Given.Gpus(1), 4, UuidsAreUnique: true);
        Assert.Throws<InvalidOperationException>(() => ledger.Book(placement));
    }

    [Fact]
    public void A_node_whose_annotation_is_broken_has_no_gpus_and_says_why()
    {
        var broken = Given.Node("n1", 2, change: n => n.Metadata.Annotations![Cluster.Operator.Api.ApiNames.NodeGpusAnnotation] = "[{");
        var node = new GpuLedger([broken], []).Nodes[0];
        Assert.Empty(node.Gpus);
        Assert.Contains("not a list of GPUs", node.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_that_comes_back_is_booked_at_once()
    {
        GpuLedger ledger = new([Node], [Given.Replica("p", gpus: "0,1")]);
        ledger.RemoveNode("n1");
        Assert.Equal(0, ledger.FreeCount);
        ledger.Put(Node);
        Assert.Equal("2,3", Free(ledger));
    }

    [Fact]
    public void What_was_booked_on_trial_is_free_again_afterwards_even_when_deciding_failed()
    {
        GpuLedger ledger = new([Node], []);
        Assert.Throws<InvalidOperationException>(() => ledger.Tentatively<int>(trial =>
        {
            trial.Book(new GpuPlacement("n1", Given.Gpus(2), 4, UuidsAreUnique: true));
            Assert.Equal("2,3", Free(trial));
            throw new InvalidOperationException("undecided");
        }));
        Assert.Equal("0,1,2,3", Free(ledger));
    }

    [Fact]
    public void Pods_set_aside_hold_their_gpus_again_afterwards()
    {
        var own = Given.Replica("own", gpus: "0,1");
        GpuLedger ledger = new([Node], [own, Given.Replica("other", gpus: "2")]);
        Assert.Equal("0,1,3", ledger.Without([own], Free));
        Assert.Equal("3", Free(ledger));
    }

    [Fact]
    public void Free_groups_come_best_fit_first()
    {
        GpuLedger ledger = new(
            [Given.Node("a", 8, hiveSize: 4), Given.Node("b", 8, hiveSize: 4), Given.Node("c", 4)],
            [Given.Replica("p", "b", "0,1"), Given.Replica("q", "c", "0")]);
        Assert.Equal(["c 1,2,3", "b 4,5,6,7", "a 0,1,2,3", "a 4,5,6,7"], Groups(byHive: true));
        Assert.Equal(["c 1,2,3", "b 2,3,4,5,6,7", "a 0,1,2,3,4,5,6,7"], Groups(byHive: false));

        IEnumerable<string> Groups(bool byHive) =>
            ledger.FreeGroups(byHive, 3).Select(g => $"{g.Node.Name} {string.Join(',', g.Gpus.Select(d => d.Index))}");
    }

    private static string Free(GpuLedger ledger) => string.Join(',', ledger.Find("n1")!.Free.Select(g => g.Index));
}
