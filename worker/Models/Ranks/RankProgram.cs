namespace Cluster.Worker.Models.Ranks;

/// <summary>How to start one more process of the program that runs.</summary>
/// <param name="Path">Executable.</param>
/// <param name="Arguments">Its first arguments.</param>
internal sealed record RankProgram(string Path, IReadOnlyList<string> Arguments)
{
    /// <summary>The hidden command a rank is started with.</summary>
    public const string Command = "rank";

    /// <summary>The program of this process: its own executable, or <c>dotnet</c> with its assembly.</summary>
    public static RankProgram Own
    {
        get
        {
            var path = Environment.ProcessPath ?? throw new InvalidOperationException("the path of this program is unknown, so no rank can be started");
            var assembly = typeof(RankProgram).Assembly.Location;
            return System.IO.Path.GetFileNameWithoutExtension(path) == "dotnet" ? new(path, [assembly, Command]) : new(path, [Command]);
        }
    }
}
