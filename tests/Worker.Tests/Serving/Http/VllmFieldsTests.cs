using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Serving.Http;

/// <summary>Fields of vLLM's that reach the engine, and members of its answers.</summary>
public sealed class VllmFieldsTests
{
    private const string Chat = "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]";
    private const string Completion = "\"prompt\": \"x\"";

    [Theory]
    [InlineData("/v1/completions", Completion, "cmpl")]
    [InlineData("/v1/chat/completions", Chat, "chatcmpl")]
    public async Task The_fields_reach_the_engine(string path, string request, string prefix)
    {
        var engine = new FakeEngine { Reply = _ => "ok" };
        await using var server = await HttpTestServer.StartAsync(engine);

        var (status, body) = await server.PostAsync(path, $$"""
            { {{request}}, "bad_words": ["sea", " salt"], "allowed_token_ids": [5, 6], "priority": -3, "cache_salt": "tenant",
              "request_id": "mine", "logits_processors": [], "n": 2 }
            """);

        var sent = Assert.Single(engine.Requests);
        Assert.True(status == 200, body.ToJsonString());
        Assert.Equal(["sea", " salt"], sent.Sampling.BadWords);
        Assert.Equal([5, 6], sent.Sampling.AllowedTokenIds);
        Assert.Equal((-3, "tenant"), (sent.Priority, sent.CacheSalt));
        Assert.Equal($"{prefix}-mine", (string?)body["id"]);
        Assert.StartsWith($"{prefix}-mine-", sent.RequestId, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_requests_may_be_called_the_same_and_the_header_comes_first()
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);
        server.Client.DefaultRequestHeaders.Add("X-Request-Id", "trace-7");

        var answers = await Task.WhenAll(
            server.PostAsync("/v1/completions", """{"prompt": "x", "request_id": "mine"}"""),
            server.PostAsync("/v1/completions", """{"prompt": "x", "request_id": "mine"}"""));

        Assert.All(answers, answer => Assert.Equal((200, "cmpl-trace-7"), (answer.Status, (string?)answer.Body["id"])));
        Assert.Equal(2, engine.Requests.Select(one => one.RequestId).Distinct().Count());
    }

    [Theory]
    [InlineData("low")]
    [InlineData("medium")]
    [InlineData("high")]
    public async Task A_verbosity_that_OpenAI_knows_is_accepted(string verbosity)
    {
        await using var server = await HttpTestServer.StartAsync();

        Assert.Equal(200, (await server.PostAsync("/v1/chat/completions", $$"""{ {{Chat}}, "verbosity": "{{verbosity}}" }""")).Status);
    }

    [Theory]
    [InlineData("\"guided_grammar\": \"root ::= x\"")]
    [InlineData("\"structured_outputs\": {\"grammar\": \"root ::= x\"}")]
    public async Task A_grammar_reaches_the_engine_by_either_field(string field)
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);

        await server.PostAsync("/v1/completions", $$"""{"prompt": "x", {{field}}}""");

        Assert.Equal(new Constraint.Grammar("root ::= x"), engine.Requests.Single().Sampling.Constraint);
    }

    [Theory]
    [InlineData("/v1/completions", Completion)]
    [InlineData("/v1/chat/completions", Chat)]
    public async Task A_stop_reason_is_null_a_text_or_a_number(string path, string request)
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "ok", Stop = output => output });
        Assert.Equal(JsonValueKind.Null, await KindAsync(server));
        await using var texts = await HttpTestServer.StartAsync(
            new FakeEngine { Reply = _ => "ok", Stop = output => output with { StopReason = "END" } });
        Assert.Equal(JsonValueKind.String, await KindAsync(texts));
        await using var tokens = await HttpTestServer.StartAsync(
            new FakeEngine { Reply = _ => "ok", Stop = output => output with { StopReason = "7", StopTokenId = 7 } });
        Assert.Equal(JsonValueKind.Number, await KindAsync(tokens));

        async Task<JsonValueKind> KindAsync(HttpTestServer at)
        {
            var (_, body) = await at.PostAsync(path, $$"""{ {{request}} }""");
            var events = await at.StreamAsync(path, $$"""{ {{request}}, "stream": true }""");
            Assert.All(events, chunk => Assert.True(chunk["choices"]![0]!.AsObject().ContainsKey("stop_reason")));
            JsonNode?[] reasons = [body["choices"]![0]!["stop_reason"], events[^1]["choices"]![0]!["stop_reason"]];
            return Assert.Single(reasons.Select(reason => reason?.GetValueKind() ?? JsonValueKind.Null).Distinct());
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(", \"logprobs\": true")]
    [InlineData(", \"max_tokens\": 1")]
    public async Task A_chat_stream_ends_with_an_empty_delta(string fields)
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "ok" });

        var events = await server.StreamAsync("/v1/chat/completions", $$"""{ {{Chat}}, "stream": true{{fields}} }""");

        var last = events[^1]["choices"]![0]!;
        Assert.Equal("{}", last["delta"]!.ToJsonString());
        Assert.Null(last["logprobs"]);
        Assert.NotNull(last["finish_reason"]);
        Assert.All(events.SkipLast(1), chunk => Assert.Null(chunk["choices"]![0]!["finish_reason"]));
        var text = string.Concat(events.Select(chunk => (string?)chunk["choices"]![0]!["delta"]!["content"]));
        Assert.StartsWith("o", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_completion_stream_ends_with_its_last_text_as_vLLM_does()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "ok" });

        var events = await server.StreamAsync("/v1/completions", """{"prompt": "x", "stream": true}""");

        Assert.Equal(("k", "stop"), ((string?)events[^1]["choices"]![0]!["text"], (string?)events[^1]["choices"]![0]!["finish_reason"]));
    }

    [Fact]
    public async Task A_request_that_leaves_itself_no_token_gets_400()
    {
        await using var server = await HttpTestServer.StartAsync(
            new FakeEngine { Failure = new GenerationFailedException("nothing is left") { IsRequestsFault = true } });

        Assert.Equal(400, (await server.PostAsync("/v1/completions", """{"prompt": "x"}""")).Status);
    }
}
