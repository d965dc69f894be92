using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Tests.Serving.Http;

public sealed class ProbeTests
{
    [Fact]
    public async Task A_worker_that_loads_is_alive_but_not_ready_and_says_why()
    {
        await using var server = await HttpTestServer.StartAsync(ready: false);

        Assert.Equal(200, await StatusAsync(server, "/health"));
        Assert.Equal((503, "loading"), await ReadyAsync(server));
        var (status, body) = await server.PostAsync("/v1/completions", """{"prompt": "x"}""");
        Assert.Equal(503, status);
        Assert.Contains("loading", (string?)body["error"]!["message"], StringComparison.Ordinal);

        server.BecomeReady(new FakeEngine());

        Assert.Equal((200, "ready"), await ReadyAsync(server));
    }

    [Fact]
    public async Task A_worker_that_drains_is_alive_but_not_ready_and_refuses_new_work()
    {
        await using var server = await HttpTestServer.StartAsync();

        server.State.BeginDraining();

        Assert.Equal(200, await StatusAsync(server, "/health"));
        Assert.Equal((503, "draining"), await ReadyAsync(server));
        Assert.Equal(503, (await server.PostAsync("/v1/completions", """{"prompt": "x"}""")).Status);
    }

    [Fact]
    public async Task A_worker_whose_engine_hangs_is_not_alive_until_the_step_ends_after_all()
    {
        var engine = new FakeEngine { Silence = TimeSpan.FromSeconds(29) };
        await using var server = await HttpTestServer.StartAsync(
            engine, configure: options => options with { HealthTimeout = TimeSpan.FromSeconds(30) });
        Assert.Equal(200, await StatusAsync(server, "/health"));

        engine.Silence = TimeSpan.FromSeconds(30);
        using var response = await server.Client.GetAsync("/health");
        Assert.Equal(503, (int)response.StatusCode);
        Assert.Equal(
            "the engine hangs: work waits, and no step has finished for 30 seconds (--health-timeout 30)",
            await response.Content.ReadAsStringAsync());
        Assert.Equal(503, await StatusAsync(server, "/ping"));
        Assert.Equal((503, "stalled"), await ReadyAsync(server));

        engine.Silence = TimeSpan.Zero;
        Assert.Equal(200, await StatusAsync(server, "/health"));
        Assert.Equal((200, "ready"), await ReadyAsync(server));
    }

    [Fact]
    public async Task A_health_timeout_of_zero_waits_for_ever()
    {
        var engine = new FakeEngine { Silence = TimeSpan.FromDays(30) };
        await using var server = await HttpTestServer.StartAsync(
            engine, configure: options => options with { HealthTimeout = TimeSpan.Zero });
        Assert.Equal(200, await StatusAsync(server, "/health"));
    }

    [Fact]
    public async Task Draining_finishes_the_answers_that_have_begun()
    {
        var held = new TaskCompletionSource();
        var engine = new FakeEngine
        {
            Reply = _ => "abcdef",
            BeforeOutput = (made, stop) => made < 1 ? Task.CompletedTask : held.Task.WaitAsync(stop)
        };
        await using var server = await HttpTestServer.StartAsync(engine);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = HttpTestServer.Json("""{"prompt": "p", "stream": true}""")
        };
        using var response = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

        await server.Server.DrainAsync();

        var text = await response.Content.ReadAsStringAsync();
        Assert.Contains("\"finish_reason\":\"abort\"", text, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/ping", 200)]
    [InlineData("POST", "/ping", 200)]
    [InlineData("HEAD", "/health", 200)]
    [InlineData("HEAD", "/ready", 503)]
    [InlineData("HEAD", "/metrics", 200)]
    public async Task Load_balancers_may_look_their_own_way(string method, string path, int expected)
    {
        await using var server = await HttpTestServer.StartAsync(ready: false);
        using var request = new HttpRequestMessage(new HttpMethod(method), path);

        using var response = await server.Client.SendAsync(request);

        Assert.Equal(expected, (int)response.StatusCode);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Readiness_reports_the_devices()
    {
        await using var server = await HttpTestServer.StartAsync();

        var ready = await server.Client.GetFromJsonAsync<JsonNode>("/ready");

        Assert.Equal("GPU-0123456789abcdef", (string?)ready!["devices"]![0]);
    }

    [Fact]
    public async Task Models_are_listed_under_every_name()
    {
        await using var server = await HttpTestServer.StartAsync();

        var list = await server.Client.GetFromJsonAsync<JsonNode>("/v1/models");
        var one = await server.Client.GetFromJsonAsync<JsonNode>("/v1/models/alias");

        Assert.Equal(["model", "alias"], list!["data"]!.AsArray().Select(model => (string)model!["id"]!));
        Assert.Equal("alias", (string?)one!["id"]);
        Assert.Equal(404, await StatusAsync(server, "/v1/models/other"));
    }

    [Fact]
    public async Task Tokenize_and_detokenize_are_each_others_inverse()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (_, tokens) = await server.PostAsync("/tokenize", """{"prompt": "grün", "add_special_tokens": false}""");
        var (_, text) = await server.PostAsync("/detokenize", $$"""{"tokens": {{tokens["tokens"]!.ToJsonString()}}}""");
        var (_, chat) = await server.PostAsync("/tokenize", """{"messages": [{"role": "user", "content": "x"}]}""");

        Assert.Equal((5, 1_000_000), ((int)tokens["count"]!, (int)tokens["max_model_len"]!));
        Assert.Equal("grün", (string?)text["prompt"]);
        Assert.True((int)chat["count"]! > 1);
    }

    [Fact]
    public async Task Tokenize_writes_tokens_out_when_asked()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (_, body) = await server.PostAsync("/tokenize", """{"prompt": "a", "return_token_strs": true}""");

        Assert.Equal(["<s>", "<0x61>"], body["token_strs"]!.AsArray().Select(text => (string)text!));
    }

    [Theory]
    [InlineData("/v1/models/org/name")]
    [InlineData("/v1/models/org%2Fname")]
    public async Task A_model_may_have_a_slash_in_its_name(string path)
    {
        await using var server = await HttpTestServer.StartAsync(ready: false);
        server.Server.BecomeReady(
            new Worker.Serving.ServedModel(["org/name"], "/models/name", new FakeEngine(), new FakeTokenizer(), null, ["0"]));

        var card = await server.Client.GetFromJsonAsync<JsonNode>(path);

        Assert.Equal("org/name", (string?)card!["id"]);
    }

    [Fact]
    public async Task Generate_answers_with_prompt_and_output_and_streams_a_line_an_output()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "bc" });

        var (_, body) = await server.PostAsync("/generate", """{"prompt": "a"}""");
        using var response = await server.Client.PostAsync("/generate", HttpTestServer.Json("""{"prompt": "a", "stream": true}"""));
        var lines = (await response.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal("abc", (string?)body["text"]![0]);
        Assert.Equal(["ab", "abc"], lines.Select(line => (string?)JsonNode.Parse(line)!["text"]![0]));
    }

    private static async Task<int> StatusAsync(HttpTestServer server, string path)
    {
        using var response = await server.Client.GetAsync(path);
        return (int)response.StatusCode;
    }

    private static async Task<(int Status, string? Word)> ReadyAsync(HttpTestServer server)
    {
        using var response = await server.Client.GetAsync("/ready");
        return ((int)response.StatusCode, (string?)(await response.Content.ReadFromJsonAsync<JsonNode>())!["status"]);
    }
}
