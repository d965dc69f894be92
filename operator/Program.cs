using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Commands;
using Cluster.Operator.Commands.Mdep;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator;

internal static class Program
{
    public static Task<int> Main(string[] arguments)
    {
        var startedAs = PluginLine.StartedAs();
        if (startedAs == PluginLine.CompletionName)
        {
            return CompleteAsync(arguments);
        }

        var isPlugin = startedAs == PluginLine.PluginName;
        arguments = isPlugin ? [MdepCommand.Name, .. arguments] : arguments;
        var isRun = arguments is [] or [['-', ..], ..] && arguments is not [("--help" or "-h" or "-?" or "--version"), ..];
        return CommandRunner.RunAsync(
            CreateRoot(), isRun ? ["run", .. arguments] : arguments, isPlugin ? "kubectl" : "cluster-operator",
            exception => exception is KubernetesException or InvalidOperationException);
    }

    /// <summary>Every command with its options. Tests of the documents parse with it, too.</summary>
    internal static RootCommand CreateRoot()
    {
        RootCommand root = new("Turns ModelDeployments into worker pods, each pinned to its own GPUs. Without a command: run.")
        {
            RunCommand.Create(),
            LocalCommand.Create(),
            GatewayCommand.Create(),
            RenderCommand.Create(),
            NodeAgentCommand.Create(),
            CrdCommand.Create(),
            MdepCommand.Create(),
        };
        TaughtCommand.TeachFrom(root);
        return root;
    }

    private static async Task<int> CompleteAsync(string[] arguments)
    {
        foreach (var line in PluginLine.Complete(CreateRoot(), arguments))
        {
            await Console.Out.WriteLineAsync(line);
        }

        return 0;
    }
}
