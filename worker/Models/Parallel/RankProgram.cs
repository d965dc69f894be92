namespace Cluster.Worker.Models.Parallel;

/// <summary>How to start one more process of the program that runs.</summary>
/// <param name="Path">Executable.</param>
/// <param name="Arguments">Its first arguments.</param>
internal sealed record RankProgram(string Path, IReadOnlyList<string> Arguments)
{
    /// <summary>The hidden command a rank is started with.</summary>
    public const string Command = "rank";

    /// <summary>The worker's own program. Its assembly may have been loaded by another one (a benchmark), whose process is no
    /// worker.</summary>
    public static RankProgram Own
    {
        get
        {
            var assembly = typeof(RankProgram).Assembly.Location;
            var host = System.IO.Path.ChangeExtension(assembly, null);
            return File.Exists(host) ? new(host, [Command])
                : assembly.Length > 0 ? new("dotnet", [assembly, Command])
                : new(Environment.ProcessPath!, [Command]); // published as a single file
        }
    }
}
