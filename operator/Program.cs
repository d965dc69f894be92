using System.CommandLine;
using Cluster.Operator.Commands;
using Cluster.Operator.Local;

namespace Cluster.Operator;

internal static class Program
{
    public static Task<int> Main(string[] arguments) =>
        CommandRunner.RunAsync(CreateRoot(), arguments is [] or [['-', ..] , ..] && arguments is not [("--help" or "-h" or "-?" or "--version"), ..] ? ["run", .. arguments] : arguments);

    /// <summary>Every command with its options. Tests of the documents parse with it, too.</summary>
    internal static RootCommand CreateRoot() =>
        new("Turns ModelDeployments into worker pods, each pinned to its own GPUs. Without a command: run.")
        {
            RunCommand.Create(),
            LocalCommand.Create(),
            RenderCommand.Create(),
            NodeAgentCommand.Create(),
            CrdCommand.Create(),
        };
}
