using Cluster.Worker.Serving;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Serving.Http;

/// <summary>Histories as clients send them, through a template that asks for members by name.</summary>
public sealed class ChatHistoryTests
{
    /// <summary>Asks as Llama 3.1's does, and shows what it was given.</summary>
    private const string Template = """
        {%- for message in messages %}{{- '<' + message.role + '>' + message.content }}
        {%- if 'tool_calls' in message %}{%- for call in message.tool_calls %}{{- '[' + call.id + ' ' + call.function.name + ' ' }}
        {%- if call.function.arguments is string %}{{- 'text ' + call.function.arguments }}{%- else %}{{- call.function.arguments | tojson }}{%- endif %}
        {{- ']' }}{%- endfor %}{%- endif %}
        {%- if message.tool_call_id is defined %}{{- '(' + message.tool_call_id + ')' }}{%- endif %}
        {%- for name in ['function_call', 'refusal', 'audio', 'annotations', 'name'] if name in message %}{{- '!' + name }}{%- endfor %}
        {%- endfor %}
        """;

    private const string ObjectsOnly = """
        {%- for message in messages %}{{- message.role + message.content }}{%- for call in message.tool_calls %}
        {{- call.function.name }}{%- for key, value in call.function.arguments.items() %}{{- key ~ '=' ~ value }}{%- endfor %};
        {%- endfor %}{%- endfor %}
        """;

    [Theory]
    [InlineData("""{"role": "assistant", "content": "a", "tool_calls": null}""", "<assistant>a")]
    [InlineData("""{"role": "assistant", "content": "a", "tool_calls": []}""", "<assistant>a")]
    [InlineData(
        """{"role": "assistant", "content": "a", "function_call": null, "refusal": null, "audio": null, "annotations": [], "name": null}""",
        "<assistant>a")]
    [InlineData("""{"role": "assistant", "content": null, "tool_calls": null}""", "<assistant>")]
    [InlineData("""{"role": "assistant", "content": null, "refusal": "no"}""", "<assistant>no!refusal")]
    [InlineData("""{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}""", "<assistant>no")]
    [InlineData("""{"role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}, "b"]}""", "<assistant>a\nb")]
    [InlineData("""{"role": "user", "content": ["a", {"type": "input_text", "text": "b"}]}""", "<user>a\nb")]
    [InlineData("""{"role": "user", "content": []}""", "<user>")]
    public async Task An_empty_member_is_an_absent_one_and_every_text_is_read(string message, string expected) =>
        Assert.Equal(expected, await PromptAsync(Template, message));

    [Fact]
    public async Task A_function_call_of_the_first_api_is_a_tool_call() => Assert.Equal(
        "<user>x<assistant>[call00000 f {\"a\": 1}]<tool>4(call00000)!name",
        await PromptAsync(Template, """
            {"role": "user", "content": "x"}, {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"a\": 1}"}},
            {"role": "function", "name": "f", "content": "4"}
            """));

    [Theory]
    [InlineData("\"\"", "{}")]
    [InlineData("\" \"", "{}")]
    [InlineData("\"null\"", "{}")]
    [InlineData("null", "{}")]
    [InlineData("{\"a\": 1}", "{\"a\": 1}")]
    [InlineData("\"{\\\"a\\\": 1, \\\"b\\\": 2, \\\"a\\\": 3}\"", "{\"a\": 3, \"b\": 2}")]
    [InlineData("\"{\\\"a\\\": 18446744073709551617}\"", "{\"a\": 18446744073709551617}")]
    [InlineData("\"{\\\"a\\\": -9223372036854775809, \\\"b\\\": 1e3}\"", "{\"a\": -9223372036854775809, \"b\": 1000.0}")]
    [InlineData("\"{\\\"a\\\": \\\"cut o\"", "text {\"a\": \"cut o")]
    [InlineData("\"[1]\"", "text [1]")]
    [InlineData("\"{\\\"a\\\": \\\"\\\\ud83d\\\"}\"", "text {\"a\": \"\\ud83d\"}")]
    public async Task Arguments_of_a_past_call_never_end_a_conversation(string arguments, string expected) => Assert.Equal(
        $"<assistant>[c1 f {expected}]",
        await PromptAsync(Template, $$$"""
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {{{arguments}}}}}]}
            """));

    [Fact]
    public async Task Missing_arguments_are_none() => Assert.Equal(
        "<assistant>[c1 f {}]",
        await PromptAsync(Template, """{"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f"}}]}"""));

    [Fact]
    public async Task A_template_that_needs_an_object_gets_an_empty_one_for_broken_arguments() => Assert.Equal(
        "assistantfa=1;f;",
        await PromptAsync(ObjectsOnly, """
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\": 1}"}},
             {"function": {"name": "f", "arguments": "{\"a\": "}}]}
            """));

    [Fact]
    public async Task Large_integers_of_a_tool_definition_stay_exact() => Assert.Contains(
        "\"maximum\": 18446744073709551615",
        await PromptAsync(
            "{{ tools | tojson }}{{ messages[0].content }}", """{"role": "user", "content": "x"}""", """
            , "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object",
             "properties": {"a": {"type": "integer", "maximum": 18446744073709551615}}}}}]
            """),
        StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"role": "assistant", "function_call": {"arguments": "{}"}}""", "messages[0].function_call")]
    [InlineData("""{"role": "function", "content": "1"}""", "messages[0].name")]
    [InlineData("""{"role": "assistant", "tool_calls": [{"function": {}}]}""", "messages[0].tool_calls[0].function")]
    [InlineData("""{"role": "user", "content": [{"type": "output_text"}]}""", "messages[0].content[0]")]
    public async Task What_is_missing_is_named_by_its_path(string message, string parameter)
    {
        await using var server = await HttpTestServer.StartAsync();

        var (status, body) = await server.PostAsync("/v1/chat/completions", $$"""{"messages": [{{message}}]}""");

        Assert.Equal((400, parameter), (status, (string?)body["error"]!["param"]));
    }

    private static async Task<string> PromptAsync(string template, string messages, string more = "")
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(ready: false);
        server.Server.BecomeReady(new ServedModel(
            ["model"], "/models/model", engine, new FakeTokenizer(),
            new ChatTemplate(template, null, new Dictionary<string, string>()), []));

        var (status, body) = await server.PostAsync("/v1/chat/completions", $$"""{"messages": [{{messages}}] {{more}} }""");

        Assert.True(status == 200, body.ToJsonString());
        return new FakeTokenizer().Decode([.. Assert.Single(engine.Requests).PromptTokenIds], skipSpecialTokens: false);
    }
}
