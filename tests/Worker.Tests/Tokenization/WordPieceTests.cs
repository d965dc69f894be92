using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>WordPiece in both of its forms.</summary>
public sealed class WordPieceTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait(Category.Name, Category.Slow)]
    public void Both_forms_are_as_the_reference(bool lowers)
    {
        Random random = new(4);
        List<string> texts =
        [
            "The quick unaffable, running!", "Don't do not stop , n't !", "[CLS] a [MASK][SEP]", new string('a', 101), "aé É e\u0301",
            "\u0001a\u00ADb\uE000", "日本 中a", .. Enumerable.Range(0, 600).Select(_ => RandomText.Make(random, 30)),
        ];
        var json = TinyWordPiece.Json(lowers);
        using var listed = new TemporaryFolder()
            .With("vocab.txt", string.Join('\n', TinyWordPiece.Vocabulary()) + "\n")
            .With("tokenizer_config.json", $$"""{"tokenizer_class": "BertTokenizer", "do_lower_case": {{(lowers ? "true" : "false")}}}""");
        using var described = new TemporaryFolder().With("tokenizer.json", json.ToJsonString());
        var expected = NodeTokenizer.Run(json, texts);
        foreach (var folder in new[] { listed, described })
        {
            var tokenizer = Tokenizer.Load(folder.Path);
            Assert.All(texts.Zip(expected), pair =>
            {
                var ids = tokenizer.Encode(pair.First, addSpecialTokens: true);
                Assert.Equal(pair.Second.Ids, ids);
                Assert.Equal(pair.Second.Decoded, tokenizer.Decode([.. ids], skipSpecialTokens: false));
            });
        }
    }

    [Fact]
    public void Words_that_are_no_tokens_end_to_end_are_unknown()
    {
        using var folder = new TemporaryFolder().With("vocab.txt", string.Join('\n', TinyWordPiece.Vocabulary()));
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal(["un", "##aff", "##able"], Tokens("Unaffable"));
        Assert.Equal(["[UNK]", "run", "##ning"], Tokens("unq running"));
        Assert.Equal(["[UNK]"], Tokens(new string('a', 101)));
        Assert.Equal("unaffable the", tokenizer.Decode([.. tokenizer.Encode("unaffable the", true)], skipSpecialTokens: true));
        Assert.Equal("able"u8.ToArray(), tokenizer.TokenBytes(tokenizer.TokenToId("##able")!.Value));
        Assert.Equal(" the"u8.ToArray(), tokenizer.TokenBytes(tokenizer.TokenToId("the")!.Value));
        Assert.Equal("[SEP]", tokenizer.IdToToken(tokenizer.Encode("", addSpecialTokens: true)[^1]));

        IEnumerable<string> Tokens(string text) => tokenizer.Encode(text, addSpecialTokens: false).Select(id => tokenizer.IdToToken(id)!);
    }
}
