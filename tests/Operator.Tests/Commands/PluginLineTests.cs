using Cluster.Operator.Commands.Mdep;

namespace Cluster.Operator.Tests.Commands;

public sealed class PluginLineTests
{
    [Theory]
    [InlineData("", "bench chat explain logs top :4")]
    [InlineData("e", "explain :4")]
    [InlineData("top --w", "--watch :4")]
    [InlineData("top -o ", "json text wide yaml :4")]
    [InlineData("top -o w", "wide :4")]
    [InlineData("explain haiku --what", "--what-if :4")]
    public void A_word_is_completed_by_what_may_stand_there(string line, string completions)
    {
        var words = line.Split(' ');

        Assert.Equal(completions.Split(' '), PluginLine.Complete(Program.CreateRoot(), words));
    }

    [Fact]
    public void Help_ends_with_examples()
    {
        using StringWriter output = new();
        var result = Program.CreateRoot().Parse(["mdep", "explain", "--help"]);
        result.Invoke(new System.CommandLine.InvocationConfiguration { Output = output });

        Assert.Contains("--what-if", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("  kubectl mdep explain haiku --what-if replicas=4,tp=2\n", output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mdep logs haiku --since 5x", "--since 5x: must be a duration above 0")]
    [InlineData("mdep logs haiku -f -p", "a run that has ended logs no more")]
    [InlineData("mdep chat haiku --address ftp://x", "--address ftp://x: must be http(s)://host")]
    [InlineData("mdep bench haiku --address http://x --replica y", "an address leads to replicas by itself")]
    [InlineData("mdep bench haiku --request-rate 0", "--request-rate 0: expected a number above 0")]
    [InlineData("mdep top -o xml", "--output xml: must be text, wide, json or yaml")]
    public void A_wrong_line_is_told_what_would_be_right(string line, string message) =>
        Assert.Contains(
            Program.CreateRoot().Parse(line.Split(' ')).Errors, error => error.Message.Contains(message, StringComparison.Ordinal));
}
