using System.Globalization;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class NodeTuningTests
{
    /// <summary>When <see cref="Given.Pod"/> makes a pod of age 0.</summary>
    private static readonly DateTimeOffset Created = DateTimeOffset.UnixEpoch.AddHours(100);

    private static readonly DateTimeOffset Later = Created + NodeTuning.Patience;

    [Fact]
    public void Without_a_node_there_is_nothing_to_say() =>
        Assert.Equal((null, "NotPlaced"), Verdict(NodeTuning.Of([Given.Replica("a", node: null)], _ => null, Later)));

    [Fact]
    public void Every_untuned_node_is_named_with_its_reason()
    {
        var tuning = Of(Later, ("n1", "0"), ("n2", "1"), ("n3", null), ("n4", "2"));
        Assert.Equal((false, "NumaBalancingOn"), Verdict(tuning));
        Assert.Equal(
            "kernel.numa_balancing is off at 1 of 4 nodes, not at n2 (it is 1), n3 (no node agent has reported it), n4 (it is 2)",
            tuning.Message);
    }

    [Fact]
    public void A_node_without_a_report_is_no_failure_yet() =>
        Assert.Equal((null, "AwaitingNodeAgent"), Verdict(Of(Later, ("n1", "0"), ("n2", null))));

    [Fact]
    public void An_agent_has_some_time_to_act_after_the_first_pod_came()
    {
        var early = Of(Later - TimeSpan.FromSeconds(1), ("n1", "1"));
        Assert.Equal((null, "AwaitingNodeAgent"), Verdict(early));
        Assert.EndsWith("n1 (still 1, its node agent was asked just now)", early.Message, StringComparison.Ordinal);
        Assert.Equal((false, "NumaBalancingOn"), Verdict(Of(Later.AddSeconds(1), ("n1", "1"))));
        Assert.Equal(
            (false, "NumaBalancingOn"),
            Verdict(NodeTuning.Of([Given.Replica("new"), Given.Replica("old", age: 1)], _ => Node("n1", "1"), Created)));
    }

    [Fact]
    public void The_time_left_ends_when_the_agent_has_acted()
    {
        var pod = Given.Replica("a");
        Assert.Equal(TimeSpan.FromSeconds(1), NodeTuning.Remaining(pod, Node("n1", "1"), Later - TimeSpan.FromSeconds(1)));
        Assert.Equal(TimeSpan.Zero, NodeTuning.Remaining(pod, Node("n1", "0"), Created));
        Assert.Equal(TimeSpan.Zero, NodeTuning.Remaining(pod, Node("n1", "1"), Later));
        Assert.Equal(TimeSpan.Zero, NodeTuning.Remaining(pod, null, Created));
        var unseen = Given.Pod("b");
        unseen.Metadata.CreationTimestamp = null;
        Assert.Equal(NodeTuning.Patience, NodeTuning.Remaining(Replica.Of(unseen), Node("n1", "1"), Created));
    }

    [Theory]
    [InlineData("0", 20, "n19")]
    [InlineData("0", 23, "n19 and 3 more")]
    [InlineData("1", 21, "n19 (it is 1) and 1 more")]
    public void Long_lists_of_nodes_end_with_a_number(string value, int nodes, string end)
    {
        var tuning = Of(
            Later.AddHours(1),
            [.. Enumerable.Range(0, nodes).Select(i => (i.ToString("'n'00", CultureInfo.InvariantCulture), (string?)value))]);
        Assert.EndsWith(end, tuning.Message, StringComparison.Ordinal);
    }

    private static (bool? Value, string Reason) Verdict((bool? Value, string Reason, string Message) tuning) =>
        (tuning.Value, tuning.Reason);

    private static (bool? Value, string Reason, string Message) Of(DateTimeOffset now, params (string Name, string? Value)[] nodes) =>
        NodeTuning.Of(
            nodes.Select(n => Given.Replica($"on-{n.Name}", node: n.Name)), name => Node(name, nodes.Single(n => n.Name == name).Value),
            now);

    private static V1Node Node(string name, string? value) => Given.Node(name, change: n =>
    {
        if (value is not null)
        {
            n.Metadata.Annotations![NodeAnnotations.NumaBalancing] = value;
        }
    });
}
