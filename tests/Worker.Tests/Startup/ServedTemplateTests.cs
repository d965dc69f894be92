using System.Text.Json.Nodes;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Startup;

public sealed class ServedTemplateTests
{
    private static readonly JsonArray Messages = [new JsonObject { ["role"] = "user", ["content"] = "hi" }];

    [Fact]
    public void A_template_that_is_given_comes_before_the_checkpoints_and_has_its_tokens()
    {
        using var folder = new TemporaryFolder().With("tokenizer_config.json", """{"bos_token": "<s>", "chat_template": "own"}""")
            .With("other.jinja", "file {{ bos_token }}{{ messages[0].content }}");

        Assert.Equal("text <s>hi", Render(folder.Path, "text {{ bos_token }}{{ messages[0].content }}"));
        Assert.Equal("file <s>hi", Render(folder.Path, Path.Combine(folder.Path, "other.jinja")));
    }

    [Fact]
    public void What_is_neither_a_file_nor_a_template_is_refused_at_the_start()
    {
        using TemporaryFolder folder = new();

        var refused = Assert.Throws<StartupException>(() => ServedTemplate.Load(folder.Path, "missing.jinja", _ => { }));

        Assert.Contains("--chat-template missing.jinja: there is no such file", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"chat_template": "{% for m in %}"}""", "line 1")]
    [InlineData("""{"chat_template": 5}""", "chat_template: is Number")]
    public void A_broken_template_is_told_at_the_start_and_at_each_chat(string config, string reason)
    {
        using var folder = new TemporaryFolder().With("tokenizer_config.json", config);
        List<string> log = [];

        var template = ServedTemplate.Load(folder.Path, null, log.Add)!;

        var refused = Assert.Throws<ChatTemplateException>(() => template.Render(Messages, null, addGenerationPrompt: true));
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.Contains(reason, Assert.Single(log), StringComparison.Ordinal);
    }

    [Fact]
    public void A_checkpoint_without_a_template_still_has_none()
    {
        using TemporaryFolder folder = new();

        Assert.Null(ServedTemplate.Load(folder.Path, null, _ => { }));
    }

    private static string Render(string folder, string given) =>
        ServedTemplate.Load(folder, given, _ => { })!.Render(Messages, null, addGenerationPrompt: false);
}
