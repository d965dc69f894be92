namespace Cluster.Worker.Tests.Serving.Http;

public sealed class ChatCompletionsTests
{
    private const string Path = "/v1/chat/completions";

    [Fact]
    public async Task The_conversation_is_rendered_by_the_template_and_answered()
    {
        var engine = new FakeEngine { Reply = _ => "hi" };
        await using var server = await HttpTestServer.StartAsync(engine);

        var (status, body) = await server.PostAsync(
            Path,
            """{"model": "alias", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "text", "text": "there"}]}]}""");

        Assert.Equal(200, status);
        Assert.Equal("chat.completion", (string?)body["object"]);
        Assert.Equal("model", (string?)body["model"]);
        Assert.Equal(
            ("assistant", "hi"), ((string?)body["choices"]![0]!["message"]!["role"], (string?)body["choices"]![0]!["message"]!["content"]));
        Assert.Equal(
            "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nhello\nthere<|im_end|>\n<|im_start|>assistant\n",
            new FakeTokenizer().Decode([.. Assert.Single(engine.Requests).PromptTokenIds], skipSpecialTokens: false));
        Assert.Null(engine.Requests.Single().Sampling.MaxTokens);
    }

    [Fact]
    public async Task A_stream_begins_with_the_role_and_ends_with_a_reason()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "ok" });

        var events = await server.StreamAsync(Path, """{"messages": [{"role": "user", "content": "x"}], "stream": true}""");

        Assert.Equal("assistant", (string?)events[0]["choices"]![0]!["delta"]!["role"]);
        Assert.Equal("ok", string.Concat(events.Select(chunk => (string?)chunk["choices"]![0]!["delta"]!["content"])));
        Assert.Equal("stop", (string?)events[^1]["choices"]![0]!["finish_reason"]);
        Assert.All(events, chunk => Assert.Equal("chat.completion.chunk", (string?)chunk["object"]));
        Assert.Null(events[0]["choices"]![0]!["finish_reason"]);
    }

    [Theory]
    [InlineData("max_tokens", 3)]
    [InlineData("max_completion_tokens", 4)]
    public async Task Both_names_of_the_length_limit_are_read(string field, int value)
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);

        var (_, body) = await server.PostAsync(Path, $$"""{"messages": [{"role": "user", "content": "x"}], "{{field}}": {{value}}}""");

        Assert.Equal(value, Assert.Single(engine.Requests).Sampling.MaxTokens);
        Assert.Equal("length", (string?)body["choices"]![0]!["finish_reason"]);
    }

    [Fact]
    public async Task The_bytes_of_log_probabilities_make_whole_characters_of_tokens_that_are_parts()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "a🌊" });

        var (_, body) = await server.PostAsync(
            Path, """{"messages": [{"role": "user", "content": "x"}], "logprobs": true, "max_tokens": 5.0}""");

        var positions = body["choices"]![0]!["logprobs"]!["content"]!.AsArray();
        Assert.Equal(
            "a🌊"u8.ToArray(),
            positions.SelectMany(position => position!["bytes"]!.AsArray().Select(octet => (byte)(int)octet!)).ToArray());
        Assert.Equal(["a", "\uFFFD"], positions.Select(position => (string)position!["token"]!).Distinct());
    }

    [Fact]
    public async Task A_message_has_the_members_that_clients_expect()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (_, body) = await server.PostAsync(Path, """{"messages": [{"role": "user", "content": "x"}]}""");

        Assert.True(body["choices"]![0]!["message"]!.AsObject().TryGetPropertyValue("refusal", out var refusal));
        Assert.Null(refusal);
    }

    [Fact]
    public async Task Log_probabilities_come_with_bytes_and_alternatives()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => "a" });

        var (_, body) = await server.PostAsync(
            Path, """{"messages": [{"role": "user", "content": "x"}], "logprobs": true, "top_logprobs": 2}""");

        var position = body["choices"]![0]!["logprobs"]!["content"]![0]!;
        Assert.Equal(("a", -0.5f, 97), ((string?)position["token"], (float)position["logprob"]!, (int)position["bytes"]![0]!));
        Assert.Equal(2, position["top_logprobs"]!.AsArray().Count);
    }

    [Fact]
    public async Task A_model_without_a_template_points_to_completions()
    {
        await using var server = await HttpTestServer.StartAsync(chatTemplate: false);

        var (status, body) = await server.PostAsync(Path, """{"messages": [{"role": "user", "content": "x"}]}""");

        Assert.Equal(400, status);
        Assert.Contains("/v1/completions", (string?)body["error"]!["message"], StringComparison.Ordinal);
    }

    private const string Tools = """ "tools": [{"type": "function", "function": {"name": "now"}}] """;

    [Fact]
    public async Task Calls_in_the_answer_become_tool_calls()
    {
        await using var server = await HttpTestServer.StartAsync(
            new FakeEngine { Reply = _ => """Wait. <tool_call>{"name": "now", "arguments": {"zone": "CET"}}</tool_call>""" });

        var (_, body) = await server.PostAsync(Path, $$"""{"messages": [{"role": "user", "content": "x"}], {{Tools}}}""");

        var choice = body["choices"]![0]!;
        var call = Assert.Single(choice["message"]!["tool_calls"]!.AsArray())!;
        Assert.Equal(("Wait.", "tool_calls"), ((string?)choice["message"]!["content"], (string?)choice["finish_reason"]));
        Assert.Equal(
            ("function", "now", """{"zone": "CET"}"""),
            ((string?)call["type"], (string?)call["function"]!["name"], (string?)call["function"]!["arguments"]));
        Assert.NotEmpty((string)call["id"]!);
    }

    [Fact]
    public async Task Calls_in_a_stream_come_whole_and_end_it_with_their_reason()
    {
        await using var server = await HttpTestServer.StartAsync(
            new FakeEngine { Reply = _ => """<tool_call>{"name": "now"}</tool_call><tool_call>{"name": "now"}</tool_call>""" });

        var events = await server.StreamAsync(Path, $$"""{"messages": [{"role": "user", "content": "x"}], "stream": true, {{Tools}}}""");

        var calls = events.Select(chunk => chunk["choices"]![0]!["delta"]!["tool_calls"]).Where(delta => delta is not null)
            .SelectMany(delta => delta!.AsArray());
        Assert.Equal([0, 1], calls.Select(call => (int)call!["index"]!));
        Assert.Equal("tool_calls", (string?)events[^1]["choices"]![0]!["finish_reason"]);
        Assert.Equal("", string.Concat(events.Select(chunk => (string?)chunk["choices"]![0]!["delta"]!["content"])));
    }

    [Theory]
    [InlineData("\"temperature\": 1")]
    [InlineData("\"tool_choice\": \"none\", \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"now\"}}]")]
    public async Task Without_tools_an_answer_is_text_whatever_it_holds(string fields)
    {
        const string Reply = """<tool_call>{"name": "now"}</tool_call>""";
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => Reply });

        var (_, body) = await server.PostAsync(Path, $$"""{"messages": [{"role": "user", "content": "x"}], {{fields}}}""");

        Assert.Equal(Reply, (string?)body["choices"]![0]!["message"]!["content"]);
    }

    [Fact]
    public async Task Past_calls_and_their_results_are_part_of_the_conversation()
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, _) = await server.PostAsync(Path, """
            {"messages": [
              {"role": "user", "content": "x"},
              {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{\"zone\": \"CET\"}"}}]},
              {"role": "tool", "tool_call_id": "c1", "content": "12:00"}]}
            """);

        Assert.Equal(200, status);
    }

    [Theory]
    [InlineData("""[{"function": {}}]""", "messages[0].tool_calls[0].function")]
    [InlineData("""[1]""", "messages[0].tool_calls[0].function")]
    [InlineData("""{}""", "messages[0].tool_calls")]
    public async Task A_past_call_that_is_none_is_named(string calls, string named)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync(Path, $$"""{"messages": [{"role": "assistant", "tool_calls": {{calls}}}]}""");

        Assert.Equal((400, named), (status, (string?)body["error"]!["param"]));
    }
}
