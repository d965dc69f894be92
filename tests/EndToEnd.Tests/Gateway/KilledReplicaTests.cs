using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Gateway;

/// <summary>SIGKILL of real workers under streaming clients of a real gateway: what clients get is what they would have got.</summary>
[Trait(Category.Name, Category.Long)]
public sealed partial class KilledReplicaTests
{
    private const int SigKill = 9;
    private const int Clients = 64;
    private const int Tokens = 96;

    private const string FourReplicas = """
        apiVersion: serving.cluster.sh/v1alpha1
        kind: ModelDeployment
        metadata: {name: haiku}
        spec:
          model: {source: file:///models/haiku-1m}
          replicas: 4
          engine: {maxNumSeqs: 64}
        """;

    [Fact]
    public async Task Every_stream_is_equal_to_that_of_an_undisturbed_run_to_the_last_byte()
    {
        using var folder = new TemporaryFolder();
        var manifest = Path.Combine(folder.Path, "haiku.yaml");
        await File.WriteAllTextAsync(manifest, FourReplicas);
        var models = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models");
        await using var local = await LocalOperator.StartAsync(
            untilReady: true, "-f", manifest, "--models", models, "--gateway-port", "0");
        using var http = new HttpClient { BaseAddress = new Uri(Gateway().Match(local.Output).Groups[1].Value) };
        var undisturbed = await Task.WhenAll(Enumerable.Range(0, Clients).Select(i => StreamAsync(http, "undisturbed", i, null)));

        var received = 0;
        var streams = Enumerable.Range(0, Clients)
            .Select(i => StreamAsync(http, "disturbed", i, () => Interlocked.Increment(ref received))).ToList();
        foreach (var share in (double[])[0.15, 0.4])
        {
            await Eventually.True(() => Volatile.Read(ref received) > Clients * Tokens * share, "streams are in the middle");
            var killed = local.Children()[0];
            _ = LocalOperator.Kill(killed, SigKill);
            await Eventually.True(() => !local.Children().Contains(killed), "the worker is gone");
        }

        var disturbed = await Task.WhenAll(streams);

        Assert.Equal(undisturbed.Select(Timeless), disturbed.Select(Timeless));
        Assert.All(disturbed, text => Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal));
    }

    /// <summary>When a reply was made is the one thing in it that two runs may differ in.</summary>
    private static string Timeless(string text) => Created().Replace(text, "\"created\":0");

    /// <param name="run">Runs share no cached prefixes: the number of cached tokens is in the reply.</param>
    private static async Task<string> StreamAsync(HttpClient http, string run, int client, Action? onEvent)
    {
        var body = new JsonObject
        {
            ["model"] = "haiku",
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = $"Write a haiku about the number {client}" }),
            ["max_tokens"] = Tokens,
            ["ignore_eos"] = true,
            ["stream"] = true,
            ["stream_options"] = new JsonObject { ["include_usage"] = true },
            ["request_id"] = $"client-{client}",
            ["seed"] = client,
            ["cache_salt"] = $"{run}-{client}",
            ["temperature"] = client % 4 == 0 ? 0 : 1,
        };
        switch (client % 8)
        {
            case 1:
                (body["n"], body["max_tokens"]) = (2, Tokens / 2);
                break;
            case 2:
                (body["logprobs"], body["top_logprobs"]) = (true, 2);
                break;
            case 3:
                (body["frequency_penalty"], body["presence_penalty"], body["min_p"]) = (0.5, 0.3, 0.02);
                break;
            case 5:
                body["stop"] = new JsonArray("qqq", "zzzz");
                break;
            case 6:
                body.Remove("ignore_eos");
                body["structured_outputs"] = new JsonObject { ["regex"] = "([a-z]{2,6} ){20,30}end" };
                break;
        }

        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var text = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line)
        {
            text.Append(line).Append('\n');
            if (line.Length > 0)
            {
                onEvent?.Invoke();
            }
        }

        Assert.True(response.IsSuccessStatusCode, text.ToString());
        return text.ToString();
    }

    [GeneratedRegex(@"gateway (http://\S+)")]
    private static partial Regex Gateway();

    [GeneratedRegex("\"created\":\\d+")]
    private static partial Regex Created();
}
