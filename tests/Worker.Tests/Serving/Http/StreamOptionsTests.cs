using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Serving.Http;

public sealed class StreamOptionsTests
{
    [Theory]
    [InlineData("null", 0)]
    [InlineData("{}", 0)]
    [InlineData("{\"include_usage\": null}", 0)]
    [InlineData("{\"include_usage\": false, \"continuous_usage_stats\": true}", 0)]
    [InlineData("{\"include_usage\": true, \"include_obfuscation\": false}", 1)]
    public async Task Token_counts_come_once_when_asked_for(string options, int expected)
    {
        var events = await StreamAsync("/v1/completions", "\"prompt\": \"x\"", options);

        Assert.Equal(expected, events.Count(chunk => chunk["usage"] is not null));
    }

    [Theory]
    [InlineData("/v1/completions", "\"prompt\": \"x\"")]
    [InlineData("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]")]
    public async Task They_come_with_every_event_as_they_grow(string path, string request)
    {
        var events = await StreamAsync(path, request, "{\"include_usage\": true, \"continuous_usage_stats\": true}");

        var counts = events.Select(chunk => (int)chunk["usage"]!["completion_tokens"]!).ToArray();
        Assert.Equal(counts.Order(), counts);
        Assert.Contains(1, counts);
        Assert.Equal(counts[^1], counts[^2]);
        Assert.Empty(events[^1]["choices"]!.AsArray());
    }

    [Theory]
    [InlineData("{\"include_usage\": 1}", "include_usage")]
    [InlineData("{\"include_costs\": true}", "include_costs")]
    [InlineData("true", "stream_options")]
    public async Task Others_are_refused(string options, string parameter)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(
            "/v1/completions", $$"""{"prompt": "x", "stream": true, "stream_options": {{options}}}""");

        Assert.Equal((400, parameter), (status, (string?)body["error"]!["param"]));
    }

    private static async Task<IReadOnlyList<JsonNode>> StreamAsync(string path, string request, string options)
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "abc" });
        return await server.StreamAsync(path, $$"""{ {{request}}, "stream": true, "stream_options": {{options}} }""");
    }
}
