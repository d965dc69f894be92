using System.CommandLine;

namespace Cluster.Operator.Commands.Mdep;

/// <summary><c>mdep</c>: the commands of <c>kubectl mdep</c>, for people who run models on a cluster.</summary>
internal static class MdepCommand
{
    public const string Name = "mdep";

    public static Command Create() => new TaughtCommand(
        Name,
        "The kubectl plugin: looks at ModelDeployments and talks to them. Linked as kubectl-mdep into a folder of the PATH, this program "
        + "is kubectl mdep.",
        """
        kubectl mdep top -A                               every replica with its load
        kubectl mdep chat haiku                           a conversation
        kubectl mdep explain haiku --what-if replicas=4   why replicas are where they are, and what would fit
        kubectl mdep logs haiku -f                        the logs of all replicas
        kubectl mdep bench haiku --num-prompts 32         requests a second, tokens a second, latencies
        """)
    {
        TopCommand.Create(),
        ChatCommand.Create(),
        ExplainCommand.Create(),
        LogsCommand.Create(),
        BenchCommand.Create(),
    };
}
