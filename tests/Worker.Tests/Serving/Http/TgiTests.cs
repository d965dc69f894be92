using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Serving.Http;

public sealed class TgiTests
{
    [Fact]
    public async Task A_prompt_is_continued_greedily_when_nothing_asks_for_sampling()
    {
        var engine = new FakeEngine { Reply = _ => "Grüße" };
        await using var server = await HttpTestServer.StartAsync(engine);

        var (status, body) = await server.PostAsync("/generate", """{"inputs": "hi"}""");

        Assert.Equal(
            (200, """{"generated_text":"Grüße"}"""),
            (status, body.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping })));
        var sampling = Assert.Single(engine.Requests).Sampling;
        Assert.Equal((0f, 100, true), (sampling.Temperature, sampling.MaxTokens!.Value, sampling.IncludeStopStringInOutput));
    }

    [Theory]
    [InlineData("\"do_sample\": true", 1)]
    [InlineData("\"temperature\": 0.5", 0.5)]
    [InlineData("\"top_k\": 5", 1)]
    [InlineData("\"top_p\": 0.5", 1)]
    [InlineData("\"temperature\": 1.0", 0)]
    public async Task Whoever_says_how_to_sample_gets_sampling(string parameter, float temperature)
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);

        await server.PostAsync("/generate", $$$"""{"inputs": "hi", "parameters": {{{{parameter}}}}}""");

        Assert.Equal(temperature, Assert.Single(engine.Requests).Sampling.Temperature);
    }

    [Fact]
    public async Task Every_parameter_reaches_the_engine()
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);

        var (status, _) = await server.PostAsync(
            "/generate",
            """
            {"inputs": "hello", "parameters": {"max_new_tokens": 7, "temperature": 0.7, "top_k": 40, "top_p": 0.9, "do_sample": true, "repetition_penalty": 1.1,
             "frequency_penalty": 0.2, "stop": ["\n"], "seed": 42, "truncate": 3, "top_n_tokens": 2, "watermark": false, "typical_p": null,
             "grammar": {"type": "regex", "value": "a+"}}}
            """);

        Assert.Equal(200, status);
        var request = Assert.Single(engine.Requests);
        var sampling = request.Sampling;
        Assert.Equal("llo", new FakeTokenizer().Decode([.. request.PromptTokenIds], skipSpecialTokens: false));
        Assert.Equal((7, 0.7f, 40, 0.9f), (sampling.MaxTokens!.Value, sampling.Temperature, sampling.TopK, sampling.TopP));
        Assert.Equal(
            (1.1f, 0.2f, 42L, 2), (sampling.RepetitionPenalty, sampling.FrequencyPenalty, sampling.Seed!.Value, sampling.Logprobs!.Value));
        Assert.Equal(["\n"], sampling.Stop);
        Assert.Equal(new Constraint.Regex("a+"), sampling.Constraint);
    }

    [Fact]
    public async Task Details_tell_of_every_token()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "ab</s>" });

        var (_, body) = await server.PostAsync(
            "/generate",
            """{"inputs": "hi", "parameters": {"details": true, "return_full_text": true, "top_n_tokens": 1, "seed": 5, "do_sample": true}}""");

        Assert.Equal("hiab", (string?)body["generated_text"]);
        var details = body["details"]!;
        Assert.Equal(("eos_token", 3, 5L), ((string?)details["finish_reason"], (int)details["generated_tokens"]!, (long)details["seed"]!));
        Assert.Equal(["a", "b", "</s>"], details["tokens"]!.AsArray().Select(token => (string)token!["text"]!));
        Assert.Equal([false, false, true], details["tokens"]!.AsArray().Select(token => (bool)token!["special"]!));
        Assert.Equal(-0.5f, (float)details["tokens"]![0]!["logprob"]!);
        Assert.Equal("a", (string?)details["top_tokens"]![0]![0]!["text"]);
        Assert.Empty(details["prefill"]!.AsArray());
    }

    [Fact]
    public async Task Of_several_the_likeliest_is_the_answer_and_the_others_are_told_of()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { ReplyOf = sample => $"reply {sample}" });

        var (_, body) = await server.PostAsync(
            "/generate", """{"inputs": "hi", "parameters": {"best_of": 3, "do_sample": true, "details": true}}""");

        Assert.Equal("reply 0", (string?)body["generated_text"]);
        Assert.Equal(
            ["reply 1", "reply 2"], body["details"]!["best_of_sequences"]!.AsArray().Select(other => (string)other!["generated_text"]!));
    }

    [Theory]
    [InlineData("/generate_stream", "")]
    [InlineData("/", ", \"stream\": true")]
    public async Task A_stream_is_an_event_a_token_and_the_last_has_the_text(string path, string stream)
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "für" });

        var events = await EventsAsync(
            server, path, $$"""{"inputs": "hi", "parameters": {"details": true, "max_new_tokens": 3}{{stream}}}""");

        Assert.Equal([1, 2, 3], events.Select(item => (int)item["index"]!));
        Assert.Equal("fü", string.Concat(events.Select(item => (string?)item["token"]!["text"])));
        Assert.All(
            events.SkipLast(1),
            item =>
                Assert.True(item.AsObject().ContainsKey("generated_text") && item["generated_text"] is null && item["details"] is null));
        Assert.Equal("fü", (string?)events[^1]["generated_text"]);
        Assert.Equal(
            """{"finish_reason":"length","generated_tokens":3,"seed":null,"input_length":3}""", events[^1]["details"]!.ToJsonString());
    }

    [Fact]
    public async Task At_the_root_a_whole_answer_is_an_array()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "x" });

        var (_, body) = await server.PostAsync("/", """{"inputs": "hi"}""");

        Assert.Equal("""[{"generated_text":"x"}]""", body.ToJsonString());
    }

    [Theory]
    [InlineData("\"max_new_tokens\": 0", "max_new_tokens")]
    [InlineData("\"temperature\": 0", "temperature")]
    [InlineData("\"temperature\": -1", "temperature")]
    [InlineData("\"temperature\": 1e999", "temperature")]
    [InlineData("\"top_k\": 0", "top_k")]
    [InlineData("\"top_p\": 1", "top_p")]
    [InlineData("\"typical_p\": 0.9", "typical_p")]
    [InlineData("\"watermark\": true", "watermark")]
    [InlineData("\"adapter_id\": \"a\"", "adapter_id")]
    [InlineData("\"decoder_input_details\": true", "decoder_input_details")]
    [InlineData("\"truncate\": 0", "truncate")]
    [InlineData("\"truncate\": 1000000", "truncate")]
    [InlineData("\"best_of\": 0, \"do_sample\": true", "best_of")]
    [InlineData("\"best_of\": 1000, \"do_sample\": true", "best_of")]
    [InlineData("\"best_of\": 2", "best_of")]
    [InlineData("\"best_of\": 2, \"seed\": 1, \"do_sample\": true", "best_of")]
    [InlineData("\"seed\": -1", "seed")]
    [InlineData("\"top_n_tokens\": -1", "top_n_tokens")]
    [InlineData("\"stop\": [1]", "stop")]
    [InlineData("\"grammar\": {\"type\": \"ebnf\", \"value\": \"x\"}", "grammar")]
    [InlineData("\"grammar\": {\"type\": \"json\", \"value\": {}, \"more\": 1}", "more")]
    [InlineData("\"presence_penalty\": 1", "presence_penalty")]
    public async Task A_parameter_out_of_range_is_named_in_TGIs_words(string parameter, string named)
    {
        await using var server = await HttpTestServer.StartAsync();
        foreach (var path in (string[])["/generate", "/generate_stream", "/"])
        {
            var (status, body) = await server.PostAsync(path, $$$"""{"inputs": "hi", "parameters": {{{{parameter}}}}}""");

            Assert.Equal((422, "validation"), (status, (string?)body["error_type"]));
            Assert.Contains(named, (string?)body["error"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"inputs": ""}""")]
    [InlineData("""{"inputs": "x", "parameters": []}""")]
    [InlineData("""{"inputs": "x", "prompt": "y"}""")]
    [InlineData("""{"inputs": ["x"]}""")]
    public async Task A_body_that_is_no_request_is_a_validation_error(string json)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync("/generate", json);

        Assert.Equal((422, "validation"), (status, (string?)body["error_type"]));
    }

    [Fact]
    public async Task Best_of_cannot_be_streamed()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(
            "/generate_stream", """{"inputs": "hi", "parameters": {"best_of": 2, "do_sample": true}}""");

        Assert.Equal(422, status);
        Assert.Contains("stream", (string?)body["error"], StringComparison.Ordinal);
    }

    public static TheoryData<Exception, int, string> Failures => new()
    {
        { new QueueFullException("full"), 429, "overloaded" },
        { new GenerationFailedException("failed"), 424, "generation" },
        { new EngineUnavailableException("gone"), 503, "healthcheck" },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task What_the_engine_refuses_has_TGIs_status(Exception failure, int expected, string type)
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Failure = failure });

        var (status, body) = await server.PostAsync("/generate_stream", """{"inputs": "hi"}""");

        Assert.Equal((expected, type, failure.Message), (status, (string?)body["error_type"], (string?)body["error"]));
    }

    [Fact]
    public async Task A_failure_in_mid_stream_is_the_last_event()
    {
        var engine = new FakeEngine
        {
            Reply = _ => "abcdef",
            BeforeOutput = (made, _) => made < 3 ? Task.CompletedTask : throw new GenerationFailedException("broken")
        };
        await using var server = await HttpTestServer.StartAsync(engine);

        var events = await EventsAsync(server, "/generate_stream", """{"inputs": "hi"}""");

        Assert.Equal(4, events.Count);
        Assert.Equal("""{"error":"broken","error_type":"generation"}""", events[^1].ToJsonString());
    }

    [Fact]
    public async Task Info_names_the_model_and_its_limits()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { MaxModelLength = 50 });

        var info = await server.Client.GetFromJsonAsync<JsonNode>("/info");

        Assert.Equal(("model", 49, 50), ((string?)info!["model_id"], (int)info["max_input_tokens"]!, (int)info["max_total_tokens"]!));
    }

    [Fact]
    public async Task A_prompt_is_still_vLLMs()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "b" });

        var (_, body) = await server.PostAsync("/generate", """{"prompt": "a"}""");

        Assert.Equal("""{"text":["ab"]}""", body.ToJsonString());
    }

    private static async Task<List<JsonNode>> EventsAsync(HttpTestServer server, string path, string json)
    {
        using var response = await server.Client.PostAsync(path, HttpTestServer.Json(json));
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line["data:".Length..])!)];
    }
}
