namespace Cluster.Worker.Models.Parallel;

/// <summary>Words for how a process ended.</summary>
internal static class ProcessEnd
{
    private const int FirstSignal = 128;

    private static readonly Dictionary<int, string> Signals = new()
    {
        [2] = "SIGINT",
        [4] = "SIGILL",
        [6] = "SIGABRT",
        [7] = "SIGBUS",
        [8] = "SIGFPE",
        [9] = "SIGKILL",
        [11] = "SIGSEGV",
        [15] = "SIGTERM",
    };

    /// <param name="exitCode">128 + n for signal n, as .NET and shells have it.</param>
    public static string Describe(int exitCode) => exitCode > FirstSignal && Signals.TryGetValue(exitCode - FirstSignal, out var name)
        ? $"was ended by signal {exitCode - FirstSignal} ({name})"
        : $"ended with exit code {exitCode}";
}
