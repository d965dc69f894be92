using System.CommandLine;
using System.Globalization;
using Cluster.Worker.Commands;
using Cluster.Worker.Commands.Lines;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Offline;

/// <summary>Reads <see cref="LLMOptions"/> as a command line, so that an option has one name, one range and one error, wherever it is
/// given. Called by <see cref="LLM"/>.</summary>
internal static class OfflineStartup
{
    private const string Command = "generate";

    /// <exception cref="ArgumentException">An option is unknown or out of range; the message names it.</exception>
    public static StartupOptions Read(string model, LLMOptions options)
    {
        var flags = new EngineFlags();
        var command = new Command(Command);
        flags.AddTo(command);
        var root = new RootCommand { command };
        var line = WorkerLine.Read(root, [Command, $"{LineBuilder.Model}={model}", .. ArgumentsOf(options), .. options.Arguments]);
        var parsed = root.Parse([.. line.Arguments]);
        string[] errors = [.. line.Errors, .. parsed.Errors.Select(error => error.Message)];
        if (errors.Length > 0)
        {
            throw new ArgumentException(string.Join("; ", errors), nameof(options));
        }

        foreach (var note in line.Notes)
        {
            options.Log?.Invoke(note);
        }

        return StartupArguments.Read(flags, parsed) with { ChatTemplate = options.ChatTemplate };
    }

    private static IEnumerable<string> ArgumentsOf(LLMOptions options)
    {
        (string Name, object? Value)[] given =
        [
            (WorkerFlags.TensorParallelSize.Name, options.TensorParallelSize),
            ("--device", options.Device),
            (WorkerFlags.DType.Name, options.DType),
            (WorkerFlags.Quantization.Name, options.Quantization),
            (WorkerFlags.KvCacheDType.Name, options.KvCacheDType),
            (WorkerFlags.MaxModelLen.Name, options.MaxModelLen),
            (WorkerFlags.MaxNumSeqs.Name, options.MaxNumSeqs),
            (WorkerFlags.MaxNumBatchedTokens.Name, options.MaxNumBatchedTokens),
            (WorkerFlags.GpuMemoryUtilization.Name, options.GpuMemoryUtilization),
            (WorkerFlags.EnablePrefixCaching.Name, options.EnablePrefixCaching),
            ("--revision", options.Revision),
            ("--download-dir", options.DownloadDir),
            ("--seed", options.Seed),
        ];
        return given.Where(one => one.Value is not null)
            .Select(one => $"{one.Name}={Convert.ToString(one.Value, CultureInfo.InvariantCulture)}");
    }
}
