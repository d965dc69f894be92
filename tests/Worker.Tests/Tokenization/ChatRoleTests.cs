using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>What becomes of the roles that a template does not know.</summary>
public sealed class ChatRoleTests
{
    /// <summary>The branches of Qwen3's.</summary>
    private const string Branches = """
        {%- for message in messages %}
        {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
        {%- if (message.role == "user") or (message.role == "system") %}{{- '<' + message.role + '>' + content }}
        {%- elif message.role == "assistant" %}{{- '<assistant>' + content.split('</think>')[-1].lstrip('\n') }}
        {%- for call in message.tool_calls %}{{- '<call>' + call.function.name }}{%- endfor %}
        {%- elif message.role == "tool" %}{{- '<tool>' + content }}{%- endif %}
        {%- endfor %}
        """;

    private const string Generic = "{% for message in messages %}<{{ message.role }}>{{ message.content | upper }}{% endfor %}";

    [Theory]
    [InlineData(Branches, "<system>be brief<user>hi")]
    [InlineData(Generic, "<system>BE BRIEF<user>HI")]
    [InlineData(Generic + "{# knows developer #}", "<developer>BE BRIEF<user>HI")]
    public void A_developer_speaks_as_the_system_where_the_template_does_not_know_the_role(string template, string expected) =>
        Assert.Equal(expected, Render(template, ("developer", "be brief"), ("user", "hi")));

    [Theory]
    [InlineData("alien")]
    [InlineData("System")]
    [InlineData("")]
    public void A_role_that_no_branch_takes_is_an_error_that_names_it(string role)
    {
        var refused = Assert.Throws<ChatTemplateException>(() => Render(Branches, ("user", "hi"), (role, "hi")));

        Assert.Contains($"'messages[1]', whose role is '{role}'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_that_another_one_replaces_is_left_out_too()
    {
        const string LastSystem = """
            {% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.system = m.content %}{% endif %}{% endfor %}
            {{ ns.system }}{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}
            """;

        var refused = Assert.Throws<ChatTemplateException>(() => Render(LastSystem, ("system", "a"), ("system", "b"), ("user", "c")));

        Assert.Contains("'messages[0]', whose role is 'system'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_template_cuts_off_a_message_leaves_the_message_in() =>
        Assert.Equal("<assistant>yes<user>", Render(Branches, ("assistant", "<think>\nno\n</think>\n\nyes"), ("user", "")));

    [Fact]
    public void A_message_of_calls_alone_is_none_that_is_left_out()
    {
        const string CallsOnly = """
            {% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.name }}{% else %}{{ m.content }}{% endif %}{% endfor %}
            """;
        JsonArray messages = [JsonNode.Parse("""
            {"role": "assistant", "content": "see", "tool_calls": [{"function": {"name": "look", "arguments": {"a": 1}}}]}
            """)];

        Assert.Equal("look", new ChatTemplate(CallsOnly, null, new Dictionary<string, string>()).Render(messages, null, false));
    }

    [Theory, InlineData("null"), InlineData("\"\"")]
    public void A_message_of_calls_alone_is_taken_by_a_template_that_knows_no_calls(string content)
    {
        JsonArray messages = [JsonNode.Parse("""
            {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": {}}}]}
            """)];
        messages[0]!["content"] = JsonNode.Parse(content);
        const string NoCalls = "{% for message in messages %}<{{ message.role }}>{{ message.content or '' }}{% endfor %}";

        Assert.Equal("<assistant>", new ChatTemplate(NoCalls, null, new Dictionary<string, string>()).Render(messages, null, false));
    }

    [Fact]
    public void A_template_that_takes_no_other_text_decides_for_itself() =>
        Assert.Equal("ok", Render(
            "{% if messages[0].content != 'ok' %}{{ raise_exception('other') }}{% endif %}{{ messages[0].content }}", ("user", "ok")));

    private static string Render(string template, params IEnumerable<(string Role, string Content)> messages) =>
        new ChatTemplate(template, null, new Dictionary<string, string>()).Render(
            [.. messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })],
            tools: null,
            addGenerationPrompt: false);
}
