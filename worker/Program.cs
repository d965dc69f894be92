using System.CommandLine;
using Cluster.Worker.Commands;

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
        return CommandRunner.RunAsync(root, arguments);
    }
}
