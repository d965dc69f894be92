using System.CommandLine;
using Cluster.Common;
using Cluster.Operator.Commands;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator;

internal static class Program
{
    public static Task<int> Main(string[] arguments)
    {
        var isRun = arguments is [] or [['-', ..], ..] && arguments is not [("--help" or "-h" or "-?" or "--version"), ..];
        return CommandRunner.RunAsync(
            CreateRoot(), isRun ? ["run", .. arguments] : arguments, "cluster-operator",
            exception => exception is KubernetesException or InvalidOperationException);
    }

    /// <summary>Every command with its options. Tests of the documents parse with it, too.</summary>
    internal static RootCommand CreateRoot() =>
        new("Turns ModelDeployments into worker pods, each pinned to its own GPUs. Without a command: run.")
        {
            RunCommand.Create(),
            LocalCommand.Create(),
            GatewayCommand.Create(),
            RenderCommand.Create(),
            NodeAgentCommand.Create(),
            CrdCommand.Create(),
        };
}
