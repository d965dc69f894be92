using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Cluster.Operator.Commands.Mdep;

/// <summary>A command whose help ends with examples.</summary>
internal sealed class TaughtCommand(string name, string description, string examples) : Command(name, description)
{
    public string Examples { get; } = examples;

    /// <summary>Lets the help of a program print the examples.</summary>
    public static void TeachFrom(RootCommand root)
    {
        if (root.Options.OfType<HelpOption>().FirstOrDefault() is { Action: HelpAction help } option)
        {
            option.Action = new Lesson(help);
        }
    }

    private sealed class Lesson(HelpAction help) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var code = help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is TaughtCommand { Examples: var examples })
            {
                var output = parseResult.InvocationConfiguration.Output;
                output.WriteLine("Examples:");
                foreach (var line in examples.Split('\n'))
                {
                    output.WriteLine($"  {line.TrimEnd()}");
                }

                output.WriteLine();
            }

            return code;
        }
    }
}
