using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

public sealed class ChatTemplateTests
{
    private static readonly JsonArray Messages = [new JsonObject { ["role"] = "user", ["content"] = "hi" }];
    private static readonly JsonArray Tools = [new JsonObject { ["name"] = "f" }];

    [Fact]
    public void A_checkpoint_without_a_template_has_none()
    {
        using TemporaryFolder empty = new();
        Assert.Null(ChatTemplate.Load(empty.Path));
        using var plain = new TemporaryFolder().With("tokenizer_config.json", """{"chat_template": null}""");
        Assert.Null(ChatTemplate.Load(plain.Path));
    }

    [Fact]
    public void The_template_gets_messages_tokens_and_flags()
    {
        using var folder = new TemporaryFolder().With("tokenizer_config.json", """
            {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null,
             "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token is defined }}{{ tools }}{{ documents }}{{ add_generation_prompt }}"}
            """);
        Assert.Equal(
            "<s>hi</s>FalseNoneNoneTrue", ChatTemplate.Load(folder.Path)!.Render(Messages, tools: null, addGenerationPrompt: true));
    }

    [Fact]
    public void A_request_may_add_variables_but_not_replace_one()
    {
        ChatTemplate template = new(
            "{{ enable_thinking }} {{ budget.tokens }}{{ bos_token }}{{ messages[0].content }}", null, new Dictionary<string, string> { ["bos_token"] = "<s>" });
        JsonObject variables = new() { ["enable_thinking"] = false, ["budget"] = new JsonObject { ["tokens"] = 5 } };
        Assert.Equal("False 5<s>hi", template.Render(Messages, tools: null, addGenerationPrompt: true, variables));
        Assert.All((string[])["messages", "bos_token"], taken =>
        {
            var refused = Assert.Throws<ChatTemplateException>(
                () => template.Render(Messages, null, true, new JsonObject { [taken] = "x" }));
            Assert.Contains($"'{taken}'", refused.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Named_templates_are_chosen_by_whether_there_are_tools()
    {
        using var folder = new TemporaryFolder().With("tokenizer_config.json", """
            {"chat_template": [{"name": "tool_use", "template": "tools {{ tools[0].name ~ messages[0].content }}"},
                               {"name": "default", "template": "plain {{ messages[0].content }}"}]}
            """);
        var template = ChatTemplate.Load(folder.Path)!;
        Assert.Equal("plain hi", template.Render(Messages, tools: null, addGenerationPrompt: false));
        Assert.Equal("tools fhi", template.Render(Messages, Tools, addGenerationPrompt: false));
    }

    [Fact]
    public void A_template_file_comes_before_the_config_and_tokens_may_stand_in_their_own_file()
    {
        using var folder = new TemporaryFolder().With("tokenizer_config.json", """{"chat_template": "config"}""")
            .With("special_tokens_map.json", """{"bos_token": "<b>"}""").With("chat_template.jinja", "file {{ bos_token }}{{ messages[0].content }}\n");
        Assert.Equal("file <b>hi", ChatTemplate.Load(folder.Path)!.Render(Messages, tools: null, addGenerationPrompt: false));
    }

    [Theory]
    [InlineData("""{"chat_template": "json {{ bos_token }}{{ messages[0].content }}"}""", "json <b>hi")]
    [InlineData("""{"chat_template": [{"name": "default", "template": "list {{ messages[0].content }}"}]}""", "list hi")]
    [InlineData("{}", "config hi")]
    public void A_template_in_its_own_JSON_file_comes_before_the_config(string json, string expected)
    {
        using var folder = new TemporaryFolder().With("chat_template.json", json)
            .With("tokenizer_config.json", """{"bos_token": "<b>", "chat_template": "config {{ messages[0].content }}"}""");
        Assert.Equal(expected, ChatTemplate.Load(folder.Path)!.Render(Messages, tools: null, addGenerationPrompt: false));
    }

    [Fact]
    public void A_bad_config_names_the_file()
    {
        using var folder = new TemporaryFolder().With("tokenizer_config.json", """{"chat_template": 5}""");
        var e = Assert.Throws<TokenizerFormatException>(() => ChatTemplate.Load(folder.Path));
        Assert.Contains("tokenizer_config.json: chat_template: is Number, expected an array", e.Message, StringComparison.Ordinal);
    }
}
