using System.Text.Json.Nodes;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Serving.Http;

public sealed class ReasoningTests
{
    private const string Path = "/v1/chat/completions";
    private const string Answer = "<think>Let me see.</think>\n\nYes.";
    private const string Tools = """[{"type": "function", "function": {"name": "now"}}]""";
    private const string Call = "<tool_call>{\"name\": \"now\", \"arguments\": {\"zone\": \"}\"}}</tool_call>";

    /// <summary>Ends as Qwen3's does: with an empty block when thinking is off.</summary>
    private static readonly ChatTemplate Template = new(
        "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}{{ reasoning_effort }}assistant:"
        + "{% if opens %}<think>\n{% elif enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}",
        null, new Dictionary<string, string>());

    [Fact]
    public async Task Thinking_stands_beside_the_answer()
    {
        await using var server = await StartAsync(new FakeEngine { Reply = _ => Answer });

        var (_, body) = await server.PostAsync(Path, Request());

        var message = body["choices"]![0]!["message"]!;
        Assert.Equal(("Let me see.", "\n\nYes."), ((string?)message["reasoning_content"], (string?)message["content"]));
        Assert.Equal("stop", (string?)body["choices"]![0]!["finish_reason"]);
    }

    [Fact]
    public async Task A_stream_has_the_same_parts()
    {
        await using var server = await StartAsync(new FakeEngine { Reply = _ => Answer });

        var events = await server.StreamAsync(Path, Request(", \"stream\": true"));

        Assert.Equal(("Let me see.", "\n\nYes."), (Joined(events, "reasoning_content"), Joined(events, "content")));
    }

    [Theory]
    [InlineData("")]
    [InlineData(", \"stream\": true")]
    public async Task Thinking_is_left_out_where_it_is_not_wanted(string stream)
    {
        await using var server = await StartAsync(new FakeEngine { Reply = _ => Answer });

        using var content = HttpTestServer.Json(Request(", \"include_reasoning\": false" + stream));
        using var response = await server.Client.PostAsync(Path, content);
        var text = await response.Content.ReadAsStringAsync();

        Assert.DoesNotContain("reasoning_content", text, StringComparison.Ordinal);
        Assert.DoesNotContain("think", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Thinking_that_never_ends_leaves_no_answer()
    {
        await using var server = await StartAsync(new FakeEngine { Reply = _ => Answer });

        var (_, body) = await server.PostAsync(Path, Request(", \"max_tokens\": 15"));

        var choice = body["choices"]![0]!;
        Assert.True(choice["message"]!.AsObject().ContainsKey("content"));
        Assert.Null(choice["message"]!["content"]);
        Assert.Equal(("Let me s", "length"), ((string?)choice["message"]!["reasoning_content"], (string?)choice["finish_reason"]));
    }

    [Fact]
    public async Task A_prompt_that_begins_the_thinking_leaves_the_mark_out_of_the_output()
    {
        await using var server = await StartAsync(new FakeEngine { Reply = _ => "Hm.</think>Yes." });

        var (_, body) = await server.PostAsync(Path, Request(", \"chat_template_kwargs\": {\"opens\": true}"));

        var message = body["choices"]![0]!["message"]!;
        Assert.Equal(("Hm.", "Yes."), ((string?)message["reasoning_content"], (string?)message["content"]));
    }

    [Theory]
    [InlineData(", \"chat_template_kwargs\": {\"enable_thinking\": false}")]
    [InlineData(", \"reasoning_effort\": \"none\"")]
    public async Task Without_thinking_all_is_content(string fields)
    {
        await using var server = await StartAsync(new FakeEngine { Reply = _ => "<think> is a tag" });

        var (_, body) = await server.PostAsync(Path, Request(fields + JsonMode));

        Assert.Equal("<think> is a tag", (string?)body["choices"]![0]!["message"]!["content"]);
        Assert.Null(body["choices"]![0]!["message"]!["reasoning_content"]);
    }

    private const string JsonMode = ", \"response_format\": {\"type\": \"json_object\"}";

    /// <summary>The mark is one token there or none: then the whole thinking has to come first, where there may be any.</summary>
    [Theory]
    [InlineData("qwen3", "", true)]
    [InlineData("deepseek_r1", "", true)]
    [InlineData("deepseek_r1", ", \"chat_template_kwargs\": {\"opens\": true}", true)]
    [InlineData("qwen3", ", \"chat_template_kwargs\": {\"enable_thinking\": false}", false)]
    public async Task Structured_output_begins_behind_the_thinking(string format, string fields, bool waits)
    {
        var engine = new FakeEngine { Reply = _ => "{}" };
        await using var server = await StartAsync(engine, format);

        await server.PostAsync(Path, Request(fields + JsonMode));

        var sampling = Assert.Single(engine.Requests).Sampling;
        Assert.NotNull(sampling.Constraint);
        Assert.Equal(waits ? ["</think>"] : null, sampling.ConstraintDelay?.Ends);
        Assert.Equal(format == "qwen3" && waits ? ["<think>"] : [], sampling.ConstraintDelay?.Openings ?? []);
    }

    [Theory]
    [InlineData("auto", "<think>Hm.</think>\n" + Call, "tool_calls")]
    [InlineData("required", "<think>Hm.</think>\n[{\"name\": \"now\", \"arguments\": {\"zone\": \"}\"}}]", "tool_calls")]
    [InlineData("{\"type\": \"function\", \"function\": {\"name\": \"now\"}}", "<think>Hm.</think>\n{\"zone\": \"}\"}", "stop")]
    public async Task Calls_come_behind_the_thinking(string choice, string reply, string reason)
    {
        await using var server = await StartAsync(new FakeEngine { Reply = _ => reply });
        var fields = $", \"tools\": {Tools}, \"tool_choice\": {(choice[0] == '{' ? choice : $"\"{choice}\"")}";

        var (_, body) = await server.PostAsync(Path, Request(fields));
        var events = await server.StreamAsync(Path, Request(fields + ", \"stream\": true"));

        var message = body["choices"]![0]!["message"]!;
        var call = Assert.Single(message["tool_calls"]!.AsArray())!;
        Assert.Equal(("Hm.", null), ((string?)message["reasoning_content"], (string?)message["content"]));
        Assert.Equal(("now", "{\"zone\": \"}\"}"), ((string?)call["function"]!["name"], (string?)call["function"]!["arguments"]));
        Assert.Equal(reason, (string?)body["choices"]![0]!["finish_reason"]);
        var parts = events.SelectMany(part => part["choices"]![0]!["delta"]?["tool_calls"]?.AsArray() ?? []).ToList();
        Assert.Equal(("Hm.", ""), (Joined(events, "reasoning_content"), Joined(events, "content")));
        Assert.Equal("{\"zone\": \"}\"}", string.Concat(parts.Select(part => (string?)part!["function"]!["arguments"])));
        Assert.Single(parts, part => part!["id"] is not null);
        Assert.All(parts.Skip(1), part => Assert.Null(part!["function"]!["name"]));
        Assert.Equal(reason, (string?)events[^1]["choices"]![0]!["finish_reason"]);
    }

    [Fact]
    public async Task Calls_that_are_not_wanted_are_text()
    {
        await using var server = await StartAsync(new FakeEngine { Reply = _ => Call });

        var (_, body) = await server.PostAsync(Path, Request($", \"tools\": {Tools}, \"tool_choice\": \"none\""));

        var choice = body["choices"]![0]!;
        Assert.Equal((Call, "stop"), ((string?)choice["message"]!["content"], (string?)choice["finish_reason"]));
    }

    [Fact]
    public async Task The_effort_reaches_the_template()
    {
        var engine = new FakeEngine();
        await using var server = await StartAsync(engine);

        var (_, body) = await server.PostAsync(Path, Request(", \"reasoning_effort\": \"low\""));
        var (status, refused) = await server.PostAsync(Path, Request(", \"reasoning_effort\": \"most\""));

        Assert.Contains("lowassistant:", (string)body["choices"]![0]!["message"]!["content"]!, StringComparison.Ordinal);
        Assert.Equal((400, "reasoning_effort"), (status, (string?)refused["error"]!["param"]));
    }

    private static Task<HttpTestServer> StartAsync(FakeEngine engine, string reasoning = "qwen3") => HttpTestServer.StartAsync(
        engine, formats: OutputFormats.Choose("hermes", reasoning, null), template: Template);

    private static string Request(string fields = "") =>
        $$"""{"model": "model", "messages": [{"role": "user", "content": "Hi"}]{{fields}}}""";

    private static string Joined(IEnumerable<JsonNode> events, string member) =>
        string.Concat(events.Select(part => (string?)part["choices"]![0]!["delta"]?[member]));
}
