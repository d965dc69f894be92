using System.CommandLine;
using Cluster.Operator.Commands;

namespace Cluster.Operator.Tests.NodeAgent;

public sealed class NodeAgentCommandTests
{
    [Theory]
    [InlineData("60s", 60)]
    [InlineData("2m", 120)]
    [InlineData("5", null)]
    [InlineData("0s", null)]
    [InlineData("-1s", null)]
    [InlineData("1h", null)]
    [InlineData("99999999999s", null)]
    public void Intervals_are_seconds_or_minutes(string text, int? seconds)
    {
        var result = new RootCommand { NodeAgentCommand.Create() }.Parse(["node-agent", "--node-name", "n1", "--interval", text]);
        Assert.Equal(seconds is null, result.Errors.Count > 0);
        if (seconds is { } expected)
        {
            Assert.Equal(TimeSpan.FromSeconds(expected), result.GetValue<TimeSpan?>("--interval"));
        }
        else
        {
            Assert.Contains($"--interval {text}", result.Errors[0].Message);
        }
    }
}
