using System.CommandLine;
using Cluster.Worker.Commands;
using Cluster.Worker.Startup;

namespace Cluster.Worker;

internal static class Program
{
    public static Task<int> Main(string[] arguments) =>
        CommandRunner.RunAsync(CreateRoot(), arguments, "cluster-worker", ExplainedFailure.Is);

    /// <summary>Every command with its options. Tests of the documents parse with it, too.</summary>
    internal static RootCommand CreateRoot() =>
        new("Serves large language models from Hugging Face checkpoints over gRPC and the OpenAI HTTP API.")
        {
            ServeCommand.Create(),
            GenerateCommand.Create(),
            VerifyCommand.Create(),
            BenchCommand.Create(),
            DevicesCommand.Create(),
            KernelsCommand.Create(),
            CollectEnvCommand.Create(),
            RankCommand.Create(),
        };
}
