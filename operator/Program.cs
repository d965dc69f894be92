using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Commands;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator;

internal static class Program
{
    public static Task<int> Main(string[] arguments)
    {
        var root = new RootCommand("Turns ModelDeployments into worker pods, each pinned to its own GPUs. Without a command: run.")
        {
            RunCommand.Create(),
            LocalCommand.Create(),
            RenderCommand.Create(),
            NodeAgentCommand.Create(),
            CrdCommand.Create(),
        };
        var isRun = arguments is [] or [['-', ..], ..] && arguments is not [("--help" or "-h" or "-?" or "--version"), ..];
        return CommandRunner.RunAsync(
            root, isRun ? ["run", .. arguments] : arguments, "cluster-operator", exception => exception is KubernetesException or InvalidOperationException);
    }
}
