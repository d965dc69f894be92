using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>The time in a node's condition is of another machine: pods must not be given up because two clocks disagree.</summary>
public sealed class UnreadyNodesTests
{
    private readonly ManualTime _steady = new();
    private readonly JumpingTime _time;
    private readonly UnreadyNodes _nodes;

    public UnreadyNodesTests()
    {
        _time = new JumpingTime(_steady);
        _nodes = new UnreadyNodes(_time);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public void An_absence_counts_from_when_it_was_seen_whatever_the_clocks_say(int hours)
    {
        var loss = new NodeLoss(TimeSpan.FromMinutes(5), _nodes.For);
        var away = Given.UnreadyNode("n1", _time.GetUtcNow().AddHours(hours));
        Assert.Equal(TimeSpan.FromMinutes(5), loss.Remaining(away));

        _steady.Advance(TimeSpan.FromMinutes(4));
        _time.Jump(TimeSpan.FromHours(hours));
        Assert.Equal(TimeSpan.FromMinutes(1), loss.Remaining(away));
        Assert.False(loss.IsLost(away));

        _steady.Advance(TimeSpan.FromMinutes(1));
        Assert.True(loss.IsLost(away));
    }

    [Fact]
    public void A_return_begins_the_next_absence_anew_also_where_nobody_saw_it()
    {
        var first = Given.UnreadyNode("n1", _time.GetUtcNow());
        Assert.Equal(TimeSpan.Zero, _nodes.For(first));
        _steady.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(TimeSpan.FromMinutes(3), _nodes.For(first));
        Assert.Null(_nodes.For(Given.Node("n1")));
        Assert.Equal(TimeSpan.Zero, _nodes.For(first));

        _steady.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(TimeSpan.Zero, _nodes.For(Given.UnreadyNode("n1", _time.GetUtcNow())));
    }

    [Fact]
    public void A_node_that_left_the_cluster_is_forgotten()
    {
        var away = Given.UnreadyNode("n1", _time.GetUtcNow());
        _nodes.Observe(new(ChangeType.Added, null, away));
        _steady.Advance(TimeSpan.FromMinutes(3));
        _nodes.Observe(new(ChangeType.Deleted, away, away));
        Assert.Equal(TimeSpan.Zero, _nodes.For(away));
    }
}
