using System.Text.Json;
using Spectre.Console;

namespace Cluster.Operator.Local;

/// <summary>What local mode prints: the cluster, the table of replicas, and commands to copy.</summary>
internal static class LocalConsole
{
    private const int WidthWithoutTerminal = 160;

    public static IAnsiConsole Create()
    {
        var console = AnsiConsole.Console;
        if (Console.IsOutputRedirected)
        {
            // A script reading this wants whole lines, not lines folded at 80.
            console.Profile.Width = WidthWithoutTerminal;
        }

        return console;
    }

    public static void Welcome(IAnsiConsole console, LocalCluster cluster)
    {
        var kind = cluster.Gpus.Any(gpu => gpu.Simulated) ? "simulated GPUs, computing on the CPU" : "GPUs";
        console.MarkupLineInterpolated($"[bold]local cluster[/] with node {LocalCluster.NodeName}: {cluster.Gpus.Count} {kind}");
        WriteLine(console, $"  export KUBECONFIG={cluster.Kubeconfig}   # kubectl get mdep -o wide");
    }

    public static void Table(IAnsiConsole console, IReadOnlyList<ReplicaEndpoint> replicas)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("REPLICA", "NODE", "GPUS", "HTTP", "GRPC", "READY");
        foreach (var replica in replicas)
        {
            table.AddRow(Markup.Escape(replica.Pod), Markup.Escape(replica.Node), string.Join(',', replica.Gpus), replica.Http, replica.Grpc, "[green]yes[/]");
        }

        console.Write(table);
    }

    /// <summary>Plain lines, so that nothing is folded and everything can be pasted.</summary>
    public static void Commands(IAnsiConsole console, ReplicaEndpoint replica, string prompt)
    {
        var text = JsonSerializer.Serialize(prompt);
        var model = JsonSerializer.Serialize(replica.ServedName);
        console.MarkupLine("[bold]try[/]");
        WriteLine(console, Curl(replica, "/v1/chat/completions", $$"""{"model": {{model}}, "messages": [{"role": "user", "content": {{text}}}], "temperature": 0}"""));
        WriteLine(console, Curl(replica, "/v1/completions", $$"""{"model": {{model}}, "prompt": {{text}}, "max_tokens": 40, "temperature": 0}"""));
        WriteLine(console, Curl(replica, "/generate", $$"""{"prompt": {{text}}, "max_tokens": 40, "temperature": 0}"""));
        WriteLine(console, $"  grpcurl -plaintext -d {Quote($$"""{"chat": {"messages": [{"role": "user", "content": {{text}}}]}, "sampling": {"temperature": 0}}""")} {replica.Grpc} cluster.v1.TextGeneration/Generate");
    }

    private static string Curl(ReplicaEndpoint replica, string path, string body) =>
        $"  curl -s {replica.Http}{path} -H 'Content-Type: application/json' -d {Quote(body)}";

    /// <summary>Single quotes for a POSIX shell.</summary>
    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static void WriteLine(IAnsiConsole console, string line) => console.Profile.Out.Writer.WriteLine(line);
}
