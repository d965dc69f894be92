using System.CommandLine;

namespace Cluster.Worker.Commands;

/// <summary><c>bench</c>: measurements with vLLM's option names and result fields.</summary>
internal static class BenchCommand
{
    public static Command Create() => new("bench", "Measures latency, throughput or a running server.")
    {
        BenchLatencyCommand.Create(),
        BenchThroughputCommand.Create(),
        BenchServeCommand.Create(),
    };
}
