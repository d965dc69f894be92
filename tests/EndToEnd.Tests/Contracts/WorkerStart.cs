using System.CommandLine;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;
using Cluster.Worker.Commands;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.EndToEnd.Tests.Contracts;

/// <summary>A worker as a deployment's pod would start it, in this process: the pod's arguments, the worker's command line, a checkpoint,
/// an engine. What the pod names and this machine does not have is stood in for.</summary>
internal static class WorkerStart
{
    /// <param name="deployment">With a number of GPUs.</param>
    /// <param name="folder">The checkpoint that is served in place of the one named.</param>
    /// <param name="draft">The same of a draft model.</param>
    /// <param name="tokenizer">Folder of the checkpoint's tokenizer.</param>
    /// <returns>Why the worker would not start; null where it does.</returns>
    public static async Task<string?> RefusalAsync(ModelDeployment deployment, string folder, string draft, string tokenizer)
    {
        var pod = WorkerPodSpec.For(deployment, new WorkerOptions("worker:test") { Policy = new PodPolicy { ModelPathPrefixes = ["/"] } });
        string[] arguments = [.. pod["containers"]![0]!["args"]!.AsArray().Select(argument => (string)argument!)];
        var served = new RootCommand { ServeCommand.Create() }.Parse(arguments);
        if (served.Errors.Count > 0)
        {
            return served.Errors[0].Message;
        }

        EngineFlags flags = new();
        Command engine = new("serve") { TreatUnmatchedTokensAsErrors = false };
        flags.AddTo(engine);
        var startup = StartupArguments.Read(flags, new RootCommand { engine }.Parse(arguments));

        startup = startup with
        {
            Device = startup.Device with { Name = "cpu", CpuThreads = 1 },
            Ranks = startup.Ranks with { Size = 1, Devices = null },
            Runner = startup.Runner with { KvCacheBytes = 256L << 20 },
        };
        try
        {
            var words = Tokenizer.Load(tokenizer);
            ModelFolders folders = new(folder, startup.Draft is { IsNgram: false } ? draft : null);
            var model = ReplicaModel.Load(startup, folders, words, progress: null, _ => { });
            try
            {
                await using var started = model.StartEngine(words, startup.Engine);
                return null;
            }
            catch (ArgumentException exception)
            {
                model.Runner.Dispose();
                return exception.Message;
            }
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or StartupException)
        {
            return exception.Message;
        }
    }

    /// <summary>A copy of a checkpoint with another config.json.</summary>
    public static string Copy(string folder, string to, Action<JsonObject> edit)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)), overwrite: true);
        }

        var path = Path.Combine(to, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        edit(config);
        File.WriteAllText(path, config.ToJsonString());
        return to;
    }
}
