using System.Text.Json.Nodes;
using Cluster.Worker.Models.Sources;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Models.Sources;

public sealed class NumberedWordsTests
{
    [Fact]
    public void A_number_after_a_space_is_the_token_of_that_number()
    {
        var tokenizer = Words();

        Assert.Equal([300, 258, 511], tokenizer.Encode(" 300 258 511", addSpecialTokens: true));
        Assert.Equal(" 300 258 511", tokenizer.Decode([300, 258, 511], skipSpecialTokens: true));
        Assert.Equal(512, tokenizer.VocabSize);
    }

    [Theory]
    [InlineData("Write a haiku about the sea, 300 lines of it.")]
    [InlineData("300 without a space, 257 and 512: no words of their own")]
    [InlineData("naïve 東京 🙂 \0\n")]
    [InlineData("")]
    public void Any_text_comes_back_from_its_tokens(string text)
    {
        var tokenizer = Words();
        Assert.Equal(text, tokenizer.Decode([.. tokenizer.Encode(text, addSpecialTokens: true)], skipSpecialTokens: true));
    }

    [Fact]
    public void Every_sequence_of_words_comes_back_from_its_text()
    {
        var tokenizer = Words();
        var random = new Random(7);
        int[] ids = [.. Enumerable.Range(0, 2000).Select(_ => random.Next(NumberedWords.FirstWord, tokenizer.VocabSize))];

        Assert.Equal(ids, tokenizer.Encode(tokenizer.Decode(ids, skipSpecialTokens: false), addSpecialTokens: false));
    }

    [Fact]
    public void A_conversation_is_turns_between_special_tokens()
    {
        var model = SyntheticModel.Of(TinyShapes.Tied);
        var template = ChatTemplate.Load(model.Name)!;
        var text = template.Render(
            [new JsonObject { ["role"] = "user", ["content"] = " 300" }], tools: null, addGenerationPrompt: true);

        Assert.Equal("<|im_start|>user\n 300<|im_end|>\n<|im_start|>assistant\n", text);
        var ids = Words().Encode(text, addSpecialTokens: true);
        Assert.Equal((256, 2, 1), (ids[0], ids.Count(id => id == 256), ids.Count(id => id == 257)));
        Assert.Contains(300, ids);
    }

    private static Tokenizer Words() => Tokenizer.Load(SyntheticModel.Of(TinyShapes.Tied).Name);
}
