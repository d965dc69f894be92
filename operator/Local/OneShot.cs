using System.Text.Json.Nodes;
using Cluster.Common;
using Spectre.Console;

namespace Cluster.Operator.Local;

/// <summary><c>local --once</c>: asks every replica one prompt over HTTP, and the gateway for every model, and prints the
/// answers.</summary>
internal static class OneShot
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromMinutes(2);

    /// <param name="models">What the gateway is asked for. One without a replica gets its first by that.</param>
    /// <returns>0 when every replica answered.</returns>
    /// <exception cref="CommandFailure">There is nothing to ask, or a replica answered with an error.</exception>
    public static async Task<int> RunAsync(
        IAnsiConsole console, IReadOnlyList<ReplicaEndpoint> replicas, Uri gateway, IReadOnlyList<string> models, string prompt,
        CancellationToken cancellationToken)
    {
        if (models.Count == 0)
        {
            throw new CommandFailure("--once needs a ModelDeployment to ask: add -f FILE");
        }

        if (replicas.Count > 0)
        {
            LocalConsole.Table(console, replicas);
        }

        using var http = new HttpClient { Timeout = AnswerTimeout };
        foreach (var replica in replicas)
        {
            console.MarkupLineInterpolated($"[bold]{replica.Pod}[/] {prompt}");
            console.Profile.Out.Writer.WriteLine(
                await AskAsync(http, replica.Pod, new Uri(replica.Http), replica.ServedName, prompt, cancellationToken));
        }

        foreach (var model in models.Distinct(StringComparer.Ordinal))
        {
            console.MarkupLineInterpolated($"[bold]gateway[/] {prompt}");
            console.Profile.Out.Writer.WriteLine(await AskAsync(http, "the gateway", gateway, model, prompt, cancellationToken));
        }

        return 0;
    }

    private static async Task<string> AskAsync(
        HttpClient http, string who, Uri address, string model, string prompt, CancellationToken cancellationToken)
    {
        var body = new JsonObject
        {
            ["model"] = model,
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = prompt }),
            ["temperature"] = 0,
        };
        try
        {
            using var response = await http.PostAsJsonAsync(new Uri(address, "/v1/chat/completions"), body, cancellationToken);
            var answer = await response.Content.ReadFromJsonAsync<JsonObject>(cancellationToken);
            return (string?)answer?["choices"]?[0]?["message"]?["content"]
                ?? throw new CommandFailure(
                    $"{who} answered {(int)response.StatusCode}: {(string?)answer?["error"]?["message"] ?? "no text"}");
        }
        catch (HttpRequestException exception)
        {
            throw new CommandFailure($"{who} at {address} could not be asked: {exception.Message}", exception);
        }
    }
}
