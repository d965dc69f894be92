using Cluster.Operator.NodeAgent;

namespace Cluster.Operator.Tests.NodeAgent;

public sealed class NumaBalancingDecisionTests
{
    [Theory]
    [InlineData(true, "1", null, NumaBalancingAction.TurnOff)]
    [InlineData(true, "2", "1", NumaBalancingAction.TurnOff)]
    [InlineData(true, "0", null, NumaBalancingAction.Leave)] // was off already: nothing to restore one day
    [InlineData(true, "0", "1", NumaBalancingAction.Leave)]
    [InlineData(true, null, null, NumaBalancingAction.Leave)]
    [InlineData(false, "0", "1", NumaBalancingAction.Restore)]
    [InlineData(false, "2", "1", NumaBalancingAction.Forget)] // somebody has set it since
    [InlineData(false, null, "1", NumaBalancingAction.Forget)] // another kernel was booted
    [InlineData(false, "0", "1; reboot", NumaBalancingAction.Forget)]
    [InlineData(false, "0", "", NumaBalancingAction.Forget)]
    [InlineData(false, "0", "-1", NumaBalancingAction.Forget)]
    [InlineData(false, "0", null, NumaBalancingAction.Leave)]
    [InlineData(false, "1", null, NumaBalancingAction.Leave)]
    [InlineData(null, "1", null, NumaBalancingAction.Leave)]
    [InlineData(null, "0", "1", NumaBalancingAction.Leave)]
    internal void Every_case_has_one_answer(bool? wanted, string? current, string? found, NumaBalancingAction expected) =>
        Assert.Equal(expected, NumaBalancingDecision.Decide(wanted, current, found));
}
