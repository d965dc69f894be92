using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Serving;
using Cluster.Worker.Tests.Serving.Grpc;
using Cluster.Worker.Tests.Serving.Http;
using Grpc.Core;

namespace Cluster.Worker.Tests.Serving;

/// <summary>With <c>--cache-isolation key</c>, callers share cached prefixes with nobody but themselves.</summary>
public sealed class CacheIsolationTests
{
    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 32)]
    public async Task A_prompt_that_another_key_has_sent_is_not_found_in_the_cache(bool isolated, int cachedOfOthers)
    {
        await using var server = await HaikuServer.StartAsync(options => Options(options, isolated));
        var prompt = string.Concat(Enumerable.Repeat("The old pond; a frog jumps in. ", 20));

        Assert.Equal(0, await CachedAsync(server.Http, "first", prompt));
        Assert.InRange(await CachedAsync(server.Http, "first", prompt), 32, int.MaxValue);
        Assert.InRange(await CachedAsync(server.Http, "second", prompt), cachedOfOthers, isolated ? 0 : int.MaxValue);
        Assert.InRange(await CachedAsync(server.Http, "second", prompt), 32, int.MaxValue);
    }

    [Fact]
    public async Task A_salt_holds_within_a_key_and_over_every_interface()
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine, configure: options => Options(options, isolated: true));
        using var channel = GrpcClients.Open(server.Server.GrpcAddress);
        foreach (var (key, salt) in new[] { ("first", null), ("first", "a"), ("second", "a"), ("second", (string?)null), ("first", "a") })
        {
            await SendAsync(server, key, new JsonObject { ["prompt"] = "x", ["cache_salt"] = salt });
        }

        await new TextGeneration.TextGenerationClient(channel).GenerateAsync(
            new GenerateRequest { Prompt = "x", CacheSalt = "a" }, new Metadata { { "authorization", "Bearer first" } });
        var salts = engine.Requests.Select(request => request.CacheSalt).ToList();

        Assert.DoesNotContain(null, salts);
        Assert.Equal(4, salts.Distinct().Count());
        Assert.Equal(salts[1], salts[4]);
        Assert.Equal(salts[1], salts[5]);
        Assert.DoesNotContain(salts, salt => salt!.Contains("first", StringComparison.Ordinal));
    }

    private static ServerOptions Options(ServerOptions options, bool isolated) =>
        options with { ApiKeys = new ApiKeys(["first", "second"]), IsolatesCacheByKey = isolated };

    private static async Task<int> CachedAsync(HttpTestServer server, string key, string prompt)
    {
        var body = await SendAsync(
            server, key, new JsonObject { ["prompt"] = prompt, ["max_tokens"] = 1, ["temperature"] = 0 });
        return (int?)body["usage"]!["prompt_tokens_details"]?["cached_tokens"] ?? 0;
    }

    private static async Task<JsonNode> SendAsync(HttpTestServer server, string key, JsonObject body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions");
        request.Content = HttpTestServer.Json(body.ToJsonString());
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var response = await server.Client.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        return (await response.Content.ReadFromJsonAsync<JsonNode>())!;
    }
}
