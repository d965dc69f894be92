using Microsoft.Extensions.Logging.Console;

namespace Cluster.Worker.Commands;

/// <summary>One line an entry on standard output, UTC, as log collectors like it. <c>CLUSTER_LOG_LEVEL</c> (Trace … Critical) changes the
/// level, or vLLM's variable in Python's words.</summary>
internal static class WorkerLogging
{
    public const string VllmLevelVariable = "VLLM_LOGGING_LEVEL";

    private const string LevelVariable = "CLUSTER_LOG_LEVEL";

    public static void Configure(ILoggingBuilder logging)
    {
        logging.SetMinimumLevel(LevelOf(Environment.GetEnvironmentVariable));
        logging.AddFilter("Microsoft", LogLevel.Warning);

        // A port that is taken ends the command with one line; the host would add its stack trace.
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        logging.AddSimpleConsole(options =>
        {
            options.SingleLine = true;
            options.UseUtcTimestamp = true;
            options.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            options.ColorBehavior = LoggerColorBehavior.Disabled;
        });
    }

    /// <param name="variable">Reads the environment.</param>
    public static LogLevel LevelOf(Func<string, string?> variable) =>
        Enum.TryParse<LogLevel>(variable(LevelVariable), ignoreCase: true, out var level) ? level
        : variable(VllmLevelVariable)?.ToUpperInvariant() switch
        {
            "DEBUG" => LogLevel.Debug,
            "WARNING" => LogLevel.Warning,
            "ERROR" => LogLevel.Error,
            "CRITICAL" => LogLevel.Critical,
            _ => LogLevel.Information,
        };
}
