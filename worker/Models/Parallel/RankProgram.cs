using System.Reflection;

namespace Cluster.Worker.Models.Parallel;

/// <summary>How to start one more process of the program that runs.</summary>
/// <param name="Path">Executable.</param>
/// <param name="Arguments">Its first arguments.</param>
internal sealed record RankProgram(string Path, IReadOnlyList<string> Arguments)
{
    /// <summary>The hidden command a rank is started with.</summary>
    public const string Command = "rank";

    private const string RuntimeConfiguration = ".runtimeconfig.json";

    /// <summary>The worker's own program. Its assembly may have been loaded by another one (a benchmark), whose process is no
    /// worker.</summary>
    public static RankProgram Own => Of(
        typeof(RankProgram).Assembly.Location, Environment.ProcessPath!, Assembly.GetEntryAssembly()?.GetName().Name, File.Exists);

    /// <param name="assembly">The worker's file; empty where it is published as a single one.</param>
    /// <param name="process">What this process was started from.</param>
    /// <param name="entry">Name of the assembly it runs.</param>
    /// <param name="exists">Whether there is a file.</param>
    public static RankProgram Of(string assembly, string process, string? entry, Func<string, bool> exists)
    {
        if (assembly.Length == 0)
        {
            return new(process, [Command]);
        }

        // In a program that uses the worker as a library, the worker has no configuration of its own but the program's.
        var folder = System.IO.Path.GetDirectoryName(assembly)!;
        var runtime = System.IO.Path.Combine(folder, $"{entry}{RuntimeConfiguration}");
        string[] configuration = !exists(System.IO.Path.ChangeExtension(assembly, null) + RuntimeConfiguration) && exists(runtime)
            ? ["--runtimeconfig", runtime, "--depsfile", System.IO.Path.Combine(folder, $"{entry}.deps.json")]
            : [];

        // Started as "HOST exec APP.dll": the host was chosen for a reason, such as the C library that a driver needs.
        if (System.IO.Path.GetFileName(process) is var host && host != entry && host != $"{entry}.exe")
        {
            return new(process, ["exec", .. configuration, assembly, Command]);
        }

        var program = System.IO.Path.ChangeExtension(assembly, null);
        return exists(program) ? new(program, [Command]) : new("dotnet", ["exec", .. configuration, assembly, Command]);
    }
}
