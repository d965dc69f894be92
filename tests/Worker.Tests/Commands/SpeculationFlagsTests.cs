using System.CommandLine;
using Cluster.Worker.Commands;

namespace Cluster.Worker.Tests.Commands;

public class SpeculationFlagsTests
{
    [Theory]
    [InlineData("")]
    [InlineData("--speculative-model [ngram] --num-speculative-tokens 4")]
    [InlineData("--speculative-model [ngram] --num-speculative-tokens 4 --ngram-prompt-lookup-max 5 --ngram-prompt-lookup-min 2")]
    [InlineData("--speculative-model ./draft --num-speculative-tokens 32")]
    public void What_belongs_together_is_accepted(string arguments) => Assert.Empty(Errors(arguments));

    [Theory]
    [InlineData("--speculative-model ./draft", "--speculative-model ./draft needs --num-speculative-tokens")]
    [InlineData("--num-speculative-tokens 4", "--num-speculative-tokens needs --speculative-model")]
    [InlineData("--speculative-model ./draft --num-speculative-tokens 33", "--num-speculative-tokens 33: must be 1 to 32")]
    [InlineData("--speculative-model ./draft --num-speculative-tokens 0", "--num-speculative-tokens 0: must be 1 to 32")]
    [InlineData(
        "--speculative-model ./draft --num-speculative-tokens 4 --ngram-prompt-lookup-max 3",
        "--ngram-prompt-lookup-max and -min need --speculative-model [ngram]")]
    public void What_does_not_is_an_error_that_says_why(string arguments, string message) => Assert.Equal([message], Errors(arguments));

    [Fact]
    public void Plans_for_several_steps_do_not_go_with_drafts()
    {
        var command = new RootCommand();
        new EngineFlags().AddTo(command);

        var errors = command.Parse(
            "--model m --num-scheduler-steps 4 --speculative-model [ngram] --num-speculative-tokens 2".Split(' ')).Errors;

        Assert.Equal(
            ["--num-scheduler-steps 4 cannot be combined with --speculative-model: tokens are drafted before every step"],
            errors.Select(error => error.Message));
    }

    private static string[] Errors(string arguments)
    {
        var command = new RootCommand();
        new SpeculationFlags().AddTo(command);
        return [.. command.Parse(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Errors.Select(error => error.Message)];
    }
}
