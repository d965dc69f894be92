using System.Diagnostics;

namespace Cluster.EndToEnd.Tests.Support;

/// <summary>Runs programs as users who need no name. Only root can.</summary>
internal static class OtherUser
{
    private const string Program = "setpriv";

    /// <summary>Why a test cannot have other users here; null where it can.</summary>
    public static string? WhyNot =>
        !Environment.IsPrivilegedProcess ? "only root can become another user"
        : Path.Exists($"/usr/bin/{Program}") ? null
        : $"there is no {Program} on this machine (util-linux)";

    public static ProcessStartInfo Command(int user, IEnumerable<string> command) =>
        new(Program, [$"--reuid={user}", $"--regid={user}", "--clear-groups", .. command]);

    /// <summary>Runs it to its end.</summary>
    public static Task<CommandResult> RunAsync(int user, params string[] command)
    {
        var start = Command(user, command);
        return CommandLine.RunAsync(start.FileName, start.ArgumentList);
    }
}
