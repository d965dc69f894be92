using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Cluster.Operator.Local;

/// <summary>What local mode prints: the cluster, the table of replicas, and commands to copy.</summary>
internal static class LocalConsole
{
    private const int WidthWithoutTerminal = 160;
    private const int SampleTokens = 40;

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static IAnsiConsole Create()
    {
        if (!Console.IsOutputRedirected)
        {
            return AnsiConsole.Console;
        }

        // A script reading this wants whole lines without colours, not lines folded at 80.
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = WidthWithoutTerminal;
        return console;
    }

    public static void Welcome(IAnsiConsole console, LocalCluster cluster)
    {
        var place = cluster.Device switch
        {
            "cpu" => "the CPU",
            "auto" => "the best device that workers find",
            var device => device,
        };
        var kind = $"{(cluster.Gpus.Any(gpu => gpu.Simulated) ? "simulated GPUs" : "GPUs")}, computing on {place}";
        console.MarkupLineInterpolated($"[bold]local cluster[/] with node {LocalCluster.NodeName}: {cluster.Gpus.Count} {kind}");
        WriteLine(console, $"  export KUBECONFIG={cluster.Kubeconfig}   # kubectl get mdep -o wide");
    }

    public static void Table(IAnsiConsole console, IReadOnlyList<ReplicaEndpoint> replicas)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("REPLICA", "NODE", "GPUS", "HTTP", "GRPC", "READY");
        foreach (var replica in replicas)
        {
            table.AddRow(
                Markup.Escape(replica.Pod), Markup.Escape(replica.Node), string.Join(',', replica.Gpus), replica.Http, replica.Grpc,
                "[green]yes[/]");
        }

        console.Write(table);
    }

    /// <summary>Plain lines, so that nothing is folded and everything can be pasted.</summary>
    public static void Commands(IAnsiConsole console, ReplicaEndpoint replica, string prompt)
    {
        var chat = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = prompt });
        console.MarkupLine("[bold]try[/]");
        WriteLine(
            console,
            Curl(replica, "/v1/chat/completions",
                new JsonObject { ["model"] = replica.ServedName, ["messages"] = chat.DeepClone(), ["temperature"] = 0 }));
        WriteLine(
            console,
            Curl(replica, "/v1/completions",
                new JsonObject
                {
                    ["model"] = replica.ServedName,
                    ["prompt"] = prompt,
                    ["max_tokens"] = SampleTokens,
                    ["temperature"] = 0
                }));
        WriteLine(
            console,
            Curl(replica, "/generate", new JsonObject { ["prompt"] = prompt, ["max_tokens"] = SampleTokens, ["temperature"] = 0 }));
        var call = new JsonObject
        {
            ["chat"] = new JsonObject { ["messages"] = chat },
            ["sampling"] = new JsonObject { ["temperature"] = 0 }
        };
        WriteLine(console, $"  grpcurl -plaintext -d {Quote(Json(call))} {replica.Grpc} cluster.v1.TextGeneration/Generate");
    }

    private static string Curl(ReplicaEndpoint replica, string path, JsonObject body) =>
        $"  curl -s {replica.Http}{path} -H 'Content-Type: application/json' -d {Quote(Json(body))}";

    private static string Json(JsonObject value) => value.ToJsonString(Readable);

    /// <summary>Single quotes for a POSIX shell.</summary>
    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static void WriteLine(IAnsiConsole console, string line) => console.Profile.Out.Writer.WriteLine(line);
}
