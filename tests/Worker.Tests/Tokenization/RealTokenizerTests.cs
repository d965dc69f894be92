using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Published tokenizers against ids made by Hugging Face tokenizers, which reads tokenizer.json and nothing beside it.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class RealTokenizerTests
{
    [Fact]
    public void DeepSeek_V3_begins_with_the_token_that_only_its_tokenizer_config_asks_for()
    {
        var tokenizer = Tokenizer.Load(TokenizerGolden.Load("deepseek_v3").Folder);
        Assert.Equal([tokenizer.TokenToId("<｜begin▁of▁sentence｜>")!.Value], tokenizer.Encode("", addSpecialTokens: true));
    }

    [Theory]
    [InlineData("llama3")]
    [InlineData("llama3_1")]
    [InlineData("qwen3")]
    [InlineData("gptoss")]
    [InlineData("deepseek_v3")]
    [InlineData("llama2")]
    [InlineData("gemma3")]
    public void Encodes_and_decodes_like_the_reference(string name)
    {
        (var golden, var folder) = TokenizerGolden.Load(name);
        using TemporaryFolder alone = new();
        File.Copy(Path.Combine(folder, "tokenizer.json"), Path.Combine(alone.Path, "tokenizer.json"));
        var tokenizer = Tokenizer.Load(alone.Path);
        List<string> failures = [];
        foreach (var example in golden.Cases)
        {
            Check(example.Text, "ids", example.Ids, tokenizer.Encode(example.Text, addSpecialTokens: false));
            Check(example.Text, "ids with special", example.IdsWithSpecial, tokenizer.Encode(example.Text, addSpecialTokens: true));
            var decoded = tokenizer.Decode(example.Ids, skipSpecialTokens: false);
            if (decoded != example.Decoded)
            {
                failures.Add($"'{example.Text}' decodes to '{decoded}', expected '{example.Decoded}'");
            }
        }
        Assert.True(failures.Count == 0, $"{failures.Count} differences:\n{string.Join('\n', failures.Take(5))}");

        void Check(string text, string what, int[] expected, IReadOnlyList<int> actual)
        {
            if (!expected.SequenceEqual(actual))
            {
                failures.Add($"{what} of '{text}': [{string.Join(' ', actual)}], expected [{string.Join(' ', expected)}]");
            }
        }
    }
}
