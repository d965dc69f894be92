namespace Cluster.Operator.Commands;

/// <summary>The log of the commands that run in pods: one line an entry, UTC. Used by <see cref="RunCommand"/> and
/// <see cref="NodeAgentCommand"/>.</summary>
internal static class ConsoleLogging
{
    public static ILoggerFactory Create() => LoggerFactory.Create(builder => builder.AddSimpleConsole(format =>
    {
        format.SingleLine = true;
        format.UseUtcTimestamp = true;
        format.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
    }));
}
