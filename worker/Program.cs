using System.CommandLine;
using Cluster.Common;
using Cluster.Worker.Commands;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker;

internal static class Program
{
    public static Task<int> Main(string[] arguments)
    {
        var root = new RootCommand("Serves large language models from Hugging Face checkpoints over gRPC and the OpenAI HTTP API.")
        {
            ServeCommand.Create(),
            GenerateCommand.Create(),
            VerifyCommand.Create(),
            BenchCommand.Create(),
            RankCommand.Create(),
        };
        return CommandRunner.RunAsync(
            root, arguments, "cluster-worker", exception => exception is RankLostException or ChatTemplateException or NotSupportedException);
    }
}
