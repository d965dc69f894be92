using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway;
using Cluster.Operator.Yaml;
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

    /// <param name="manifests">What will be applied: the first model's name stands in the command to copy.</param>
    public static void Welcome(IAnsiConsole console, LocalCluster cluster, IReadOnlyList<Manifest> manifests, string prompt)
    {
        var address = cluster.Gateway.HttpAddress;
        WriteLine(console, $"gateway {address}   # one address for all models; open it in a browser");
        if (manifests.FirstOrDefault(manifest => manifest.Kind == ApiNames.Kind) is { } first)
        {
            var model = (string?)first.Object["spec"]?["model"]?["servedName"] ?? first.Name;
            WriteLine(console, Curl(address, "/v1/chat/completions", Chat(model, prompt)));
        }

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
    public static void Commands(IAnsiConsole console, GatewayHost gateway, string model, string prompt)
    {
        var address = gateway.HttpAddress;
        console.MarkupLine("[bold]try[/]");
        WriteLine(console, Curl(address, "/v1/chat/completions", Chat(model, prompt)));
        WriteLine(
            console,
            Curl(address, "/v1/completions",
                new JsonObject
                {
                    ["model"] = model,
                    ["prompt"] = prompt,
                    ["max_tokens"] = SampleTokens,
                    ["temperature"] = 0
                }));
        var call = new JsonObject
        {
            ["model"] = model,
            ["chat"] = new JsonObject { ["messages"] = Messages(prompt) },
            ["sampling"] = new JsonObject { ["temperature"] = 0 }
        };
        WriteLine(
            console,
            $"  grpcurl -plaintext -d {Quote(Json(call))} {gateway.GrpcAddress.Authority} cluster.v1.TextGeneration/Generate");
    }

    private static JsonObject Chat(string model, string prompt) =>
        new() { ["model"] = model, ["messages"] = Messages(prompt), ["temperature"] = 0 };

    private static JsonArray Messages(string prompt) => new(new JsonObject { ["role"] = "user", ["content"] = prompt });

    private static string Curl(Uri address, string path, JsonObject body) =>
        $"  curl -s {new Uri(address, path)} -H 'Content-Type: application/json' -d {Quote(Json(body))}";

    private static string Json(JsonObject value) => value.ToJsonString(Readable);

    /// <summary>Single quotes for a POSIX shell.</summary>
    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static void WriteLine(IAnsiConsole console, string line) => console.Profile.Out.Writer.WriteLine(line);
}
