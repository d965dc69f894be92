using System.CommandLine;
using Cluster.Worker.Commands;
using Cluster.Worker.Commands.Lines;
using Cluster.Worker.Startup;

namespace Cluster.Worker;

internal static class Program
{
    private const string Name = "cluster-worker";

    public static async Task<int> Main(string[] arguments)
    {
        var root = CreateRoot();
        var line = WorkerLine.Read(root, arguments);
        foreach (var note in line.Notes)
        {
            await Console.Error.WriteLineAsync($"note: {note}");
        }

        if (line.Errors.Count > 0)
        {
            await Console.Error.WriteLineAsync(CommandRunner.Explain(line.Errors, $"{Name} {line.Path}".TrimEnd()));
            return 2;
        }

        return await CommandRunner.RunAsync(root, [.. line.Arguments], Name, ExplainedFailure.Is);
    }

    /// <summary>Every command with its options. Tests of the documents parse with it, too.</summary>
    internal static RootCommand CreateRoot() =>
        new("Serves large language models from Hugging Face checkpoints over gRPC and the OpenAI HTTP API.")
        {
            ServeCommand.Create(),
            GenerateCommand.Create(),
            RunBatchCommand.Create(),
            VerifyCommand.Create(),
            BenchCommand.Create(),
            TuneCommand.Create(),
            FetchCommand.Create(),
            SynthesizeCommand.Create(),
            DevicesCommand.Create(),
            KernelsCommand.Create(),
            CollectEnvCommand.Create(),
            RankCommand.Create(),
        };
}
