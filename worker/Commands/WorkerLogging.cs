using Microsoft.Extensions.Logging.Console;

namespace Cluster.Worker.Commands;

/// <summary>One line an entry on standard output, UTC, as log collectors like it. <c>CLUSTER_LOG_LEVEL</c> (Trace … Critical) changes the
/// level.</summary>
internal static class WorkerLogging
{
    private const string LevelVariable = "CLUSTER_LOG_LEVEL";

    public static void Configure(ILoggingBuilder logging)
    {
        logging.SetMinimumLevel(
            Enum.TryParse<LogLevel>(Environment.GetEnvironmentVariable(LevelVariable), ignoreCase: true, out var level)
                ? level
                : LogLevel.Information);
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
}
