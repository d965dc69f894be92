using Cluster.Worker.Tests.Serving.Http;

namespace Cluster.Worker.Tests.Serving;

public sealed class AccessLogTests
{
    [Theory]
    [InlineData("/v1/completions", """{"prompt": "x"}""", 200)]
    [InlineData("/v1/completions", """{"prompt": "x", "stream": true}""", 200)]
    [InlineData("/v1/completions", "{", 400)]
    [InlineData("/nowhere", "{}", 404)]
    public async Task The_callers_id_comes_back_with_every_answer(string path, string json, int status)
    {
        await using var server = await HttpTestServer.StartAsync();
        server.Client.DefaultRequestHeaders.Add("X-Request-Id", "trace-7");

        using var response = await server.Client.PostAsync(path, HttpTestServer.Json(json));

        Assert.Equal((status, "trace-7"), ((int)response.StatusCode, Assert.Single(response.Headers.GetValues("X-Request-Id"))));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("two words")]
    public async Task A_request_without_a_usable_id_gets_one(string? id)
    {
        await using var server = await HttpTestServer.StartAsync();
        server.Client.DefaultRequestHeaders.TryAddWithoutValidation("X-Request-Id", id);

        using var response = await server.Client.GetAsync("/health");

        Assert.Matches("^[0-9a-f]{32}$", Assert.Single(response.Headers.GetValues("X-Request-Id")));
    }
}
