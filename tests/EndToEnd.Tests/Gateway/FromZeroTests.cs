using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Gateway;

/// <summary>A model without a replica: the first request starts one and gets its answer, and after a while without requests there is none
/// again. Operator, gateway, node and worker are the real ones.</summary>
[Trait(Category.Name, Category.Long)]
public sealed partial class FromZeroTests(ITestOutputHelper output)
{
    private const string OnDemand = """
        apiVersion: serving.cluster.sh/v1alpha1
        kind: ModelDeployment
        metadata: {name: haiku}
        spec:
          model: {source: file:///models/haiku-1m}
          autoscaling: {minReplicas: 0, maxReplicas: 2, targetOutstandingTokens: 100000, scaleDownAfter: 4s}
          drainSeconds: 1
        """;

    [Fact]
    public async Task A_request_wakes_the_model_and_its_client_sees_only_a_later_first_token()
    {
        using var folder = new TemporaryFolder();
        var manifest = Path.Combine(folder.Path, "haiku.yaml");
        await File.WriteAllTextAsync(manifest, OnDemand, TestContext.Current.CancellationToken);
        await using var local = await LocalOperator.StartAsync(
            untilReady: true, "-f", manifest, "--models", Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models"),
            "--gateway-port", "0");
        await Eventually.True(() => local.Output.Contains("ScaledToZero", StringComparison.Ordinal), "no replica is wanted");
        using var http = new HttpClient { BaseAddress = new Uri(Gateway().Match(local.Output).Groups[1].Value) };
        Assert.Empty(local.Children());
        Assert.Contains("\"model\":\"haiku\"", local.Output, StringComparison.Ordinal);

        var cold = await AskAsync(http);
        Assert.Single(local.Children());
        var warm = await AskAsync(http);
        Assert.Equal(warm.Text, cold.Text);
        Assert.EndsWith("data: [DONE]\n\n", cold.Text, StringComparison.Ordinal);

        var idle = Stopwatch.StartNew();
        await Eventually.True(() => local.Children().Count == 0, "the replica is gone for want of requests");
        output.WriteLine(
            $"first token from zero after {cold.FirstToken.TotalSeconds:F2} s, then after {warm.FirstToken.TotalSeconds:F3} s; "
            + $"no replica {idle.Elapsed.TotalSeconds:F1} s after the last request");

        // And once more: what was learnt of the replica that is gone does not lead to it.
        Assert.Equal(warm.Text, (await AskAsync(http)).Text);
        Assert.Single(local.Children());
    }

    private static async Task<(string Text, TimeSpan FirstToken)> AskAsync(HttpClient http)
    {
        var body = new JsonObject
        {
            ["model"] = "haiku",
            ["messages"] = new JsonArray(
                new JsonObject { ["role"] = "user", ["content"] = "Write a haiku about artificial intelligence" }),
            ["max_tokens"] = 32,
            ["temperature"] = 0,
            ["stream"] = true,
        };
        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        var started = Stopwatch.GetTimestamp();
        using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        TimeSpan? first = null;
        var text = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line)
        {
            first ??= line.Contains("\"content\":\"", StringComparison.Ordinal) ? Stopwatch.GetElapsedTime(started) : null;
            text.Append(line).Append('\n');
        }

        Assert.True(response.IsSuccessStatusCode, text.ToString());
        return (Particular().Replace(text.ToString(), "$1"), first ?? TimeSpan.Zero);
    }

    [GeneratedRegex(@"gateway (http://\S+)")]
    private static partial Regex Gateway();

    /// <summary>When a reply was made, and what it is called.</summary>
    [GeneratedRegex("(\"created\":|\"id\":\")[^,]+")]
    private static partial Regex Particular();
}
