using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>The sample model's tokenizer and chat template against what Hugging Face transformers made of them.</summary>
public sealed class HaikuTests
{
    private static readonly string ModelFolder = Path.Combine(RepositoryRoot.Path, "deploy", "samples", "models", "haiku-1m");

    private static readonly JsonArray Chats = JsonNode.Parse(
        File.ReadAllText(Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "haiku-1m", "expected.json")))!["chat"]!.AsArray();

    [Fact]
    public void Chats_render_to_the_letter()
    {
        var template = ChatTemplate.Load(ModelFolder)!;
        Assert.All(Chats, chat => Assert.Equal(
            (string?)chat!["rendered"], template.Render(chat["messages"]!.AsArray(), tools: null, addGenerationPrompt: true)));
    }

    [Fact]
    public void Rendered_chats_encode_to_the_expected_prompt_ids()
    {
        var tokenizer = Tokenizer.Load(ModelFolder);
        Assert.All(
            Chats, chat => Assert.Equal(Ids(chat!["prompt_ids"]!), tokenizer.Encode((string)chat["rendered"]!, addSpecialTokens: false)));
    }

    [Fact]
    public void Output_ids_decode_to_the_expected_text()
    {
        var tokenizer = Tokenizer.Load(ModelFolder);
        Assert.All(
            Chats, chat => Assert.Equal((string?)chat!["text"], tokenizer.Decode(Ids(chat["output_ids"]!), skipSpecialTokens: true)));
    }

    private static int[] Ids(JsonNode node) => [.. node.AsArray().Select(id => (int)id!)];
}
