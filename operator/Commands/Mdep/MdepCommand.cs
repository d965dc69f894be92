using System.CommandLine;

namespace Cluster.Operator.Commands.Mdep;

/// <summary><c>mdep</c>: the commands of <c>kubectl mdep</c>, for people who run models on a cluster.</summary>
internal static class MdepCommand
{
    public const string Name = "mdep";

    public static Command Create() => new(
        Name,
        """
        Looks at ModelDeployments and talks to them. As a kubectl plugin: link this program as kubectl-mdep into a folder on the PATH.

        Examples:
          kubectl mdep top -A                                  every replica with its load
          kubectl mdep chat haiku                              a conversation
          kubectl mdep explain haiku --what-if replicas=4      why replicas are where they are, and what would fit
          kubectl mdep logs haiku -f                           the logs of all replicas
          kubectl mdep bench haiku --num-prompts 32            requests a second, tokens a second, latencies
        """)
    {
        TopCommand.Create(),
        ChatCommand.Create(),
        ExplainCommand.Create(),
        LogsCommand.Create(),
        BenchCommand.Create(),
    };
}
