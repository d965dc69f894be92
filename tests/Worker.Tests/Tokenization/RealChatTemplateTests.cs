using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Published chat templates against prompts made by Hugging Face transformers.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class RealChatTemplateTests
{
    [Theory]
    [InlineData("llama3")]
    [InlineData("llama3_1")]
    [InlineData("qwen3")]
    [InlineData("deepseek_v3")]
    [InlineData("gemma3")]
    public void Renders_like_the_reference(string name)
    {
        (var golden, var folder) = TokenizerGolden.Load(name);
        var template = ChatTemplate.Load(folder)!;
        Assert.NotEmpty(golden.Chats);
        Assert.All(golden.Chats, chat =>
            Assert.Equal(chat.Rendered, template.Render(chat.Messages, tools: null, chat.AddGenerationPrompt)));
    }
}
