using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Cluster.Benchmarks.Compare;

/// <summary>The worker as its image has it: published for this platform with its runtime, compiled ahead of time. How soon a process is
/// ready depends on that. Made for <see cref="ServerRows"/>.</summary>
internal static class PublishedWorker
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);

    /// <summary>Publishes it beside what earlier runs have left, of which only what has changed is made again.</summary>
    /// <param name="folder">Everything goes here: the repository keeps its own builds.</param>
    /// <returns>The program, or why it is not to be had; the runtime and the compiler come from the feed.</returns>
    public static async Task<(string? Program, string? WhyNot)> PublishAsync(string folder)
    {
        var output = Path.Combine(folder, "published");
        try
        {
            var publish = await CommandLine.RunAsync(
                Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
                ["publish", "worker", "--configuration", "Release", "--runtime", RuntimeInformation.RuntimeIdentifier, "--self-contained",
                    "--artifacts-path", Path.Combine(folder, "artifacts"), "--output", output, "--verbosity", "quiet",
                    "-p:RunAnalyzers=false", "-nodeReuse:false"],
                timeout: Limit);
            return publish.ExitCode == 0
                ? (Path.Combine(output, "cluster-worker"), null)
                : (null, $"dotnet publish ended with {publish.ExitCode}: {LastLine(publish.Output) ?? LastLine(publish.Error)}");
        }
        catch (Exception exception) when (exception is Win32Exception or TimeoutException)
        {
            return (null, $"dotnet publish: {exception.Message}");
        }
    }

    private static string? LastLine(string text) => text.Split('\n', StringSplitOptions.TrimEntries).LastOrDefault(line => line.Length > 0);
}
