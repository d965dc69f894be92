using System.Text;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

public sealed class TokenizerTests
{
    [Fact]
    public void Bytes_survive_the_round_trip_whatever_the_text()
    {
        var tokenizer = TinyTokenizer.OfBytes().Build();
        Random random = new(7);
        Assert.All(Enumerable.Range(0, 200), i =>
        {
            var text = RandomText.Make(random, 50);
            Assert.Equal(Encoding.UTF8.GetBytes(text).Select(b => (int)b), tokenizer.Encode(text, addSpecialTokens: false));
            Assert.Equal(text, tokenizer.Decode([.. tokenizer.Encode(text, addSpecialTokens: false)], skipSpecialTokens: false));
        });
    }

    [Fact]
    public void Incomplete_UTF8_decodes_to_replacement_characters()
    {
        var tokenizer = TinyTokenizer.OfBytes().Build();
        Assert.Equal("a\uFFFD", tokenizer.Decode([0x61, 0xF0, 0x9F, 0x98], skipSpecialTokens: false));
        Assert.Equal("a😀", tokenizer.Decode([0x61, 0xF0, 0x9F, 0x98, 0x80], skipSpecialTokens: false));
        Assert.Equal("\uFFFDb\uFFFD", tokenizer.Decode([0xC3, 0x62, 0xFF], skipSpecialTokens: false));
    }

    [Fact]
    public void Unpaired_surrogates_encode_as_the_replacement_character()
    {
        var tokenizer = TinyTokenizer.OfBytes().With("normalizer", """{"type": "NFC"}""").Build();
        Assert.Equal([0x61, 0xEF, 0xBF, 0xBD, 0xF0, 0x9F, 0x98, 0x80], tokenizer.Encode("a\uD800😀", addSpecialTokens: false));
        Assert.Equal([0xEF, 0xBF, 0xBD], tokenizer.Encode("\uDE00", addSpecialTokens: false));
    }

    [Fact]
    public void Merges_of_lower_rank_come_first_in_either_spelling()
    {
        var tokenizer = TinyTokenizer.OfCharacters("abc").WithMerge("b", "c").WithMerge("a", "b").WithMerge("a", "bc").Build();
        Assert.Equal(["abc"], Tokens(tokenizer, "abc"));
        Assert.Equal(["a", "bc"], Tokens(TinyTokenizer.OfCharacters("abc").WithMerge("b", "c").WithMerge("a", "b").Build(), "abc"));
        Assert.Equal(["ab", "c"], Tokens(TinyTokenizer.OfCharacters("abc").WithMerge("a", "b").WithMerge("b", "c").Build(), "abc"));
    }

    [Fact]
    public void Ignore_merges_takes_a_whole_word_that_no_merge_reaches()
    {
        var tiny = TinyTokenizer.OfCharacters("abc").WithToken("abc");
        Assert.Equal(["a", "b", "c"], Tokens(tiny.Build(), "abc"));
        Assert.Equal(["abc"], Tokens(tiny.WithModel("ignore_merges", true).Build(), "abc"));
    }

    [Fact]
    public void A_character_outside_the_vocabulary_becomes_bytes_or_the_unknown_token_or_nothing()
    {
        var tiny = TinyTokenizer.OfCharacters("ab").WithToken("<unk>").WithToken("<0xC3>").WithToken("<0xA9>");
        Assert.Equal(["a", "b"], Tokens(tiny.Build(), "aéb"));
        Assert.Equal(["a", "<unk>", "<unk>", "b"], Tokens(tiny.WithModel("unk_token", "<unk>").Build(), "aéüb"));
        Assert.Equal(["a", "<unk>", "b"], Tokens(tiny.WithModel("fuse_unk", true).Build(), "aéüb"));
        Assert.Equal(["a", "<0xC3>", "<0xA9>", "<unk>", "b"], Tokens(tiny.WithModel("byte_fallback", true).Build(), "aéüb"));
    }

    [Fact]
    public void Byte_fallback_decodes_runs_of_bytes_together()
    {
        var tokenizer = TinyTokenizer.OfCharacters("a▁").WithToken("<0xC3>").WithToken("<0xA9>")
            .With("decoder", """
                {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                 {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
                """).Build();
        Assert.Equal("a é", tokenizer.Decode([1, 0, 1, 2, 3], skipSpecialTokens: false));
        Assert.Equal("\uFFFDa", tokenizer.Decode([2, 0], skipSpecialTokens: false));
    }

    [Fact]
    public void Special_tokens_are_added_by_the_template_and_skipped_on_request()
    {
        var tokenizer = TinyTokenizer.OfBytes().WithAdded("<s>").WithAdded("</s>").With("post_processor", """
            {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
             "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1000], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [1001], "tokens": ["</s>"]}}}]}
            """).Build();
        Assert.Equal([1000, 'h', 'i', 1001], tokenizer.Encode("hi", addSpecialTokens: true));
        Assert.Equal([1000, 1001], tokenizer.Encode("", addSpecialTokens: true));
        Assert.Equal("<s>hi</s>", tokenizer.Decode([1000, 'h', 'i', 1001], skipSpecialTokens: false));
        Assert.Equal("hi", tokenizer.Decode([1000, 'h', 'i', 1001], skipSpecialTokens: true));
    }

    [Fact]
    public void Tokens_and_ids_look_each_other_up()
    {
        var tokenizer = TinyTokenizer.OfCharacters("ab").WithAdded("<s>").WithAdded("<tool>", special: false).Build();
        Assert.Equal(1002, tokenizer.VocabSize);
        Assert.Equal(1, tokenizer.TokenToId("b"));
        Assert.Equal(1000, tokenizer.TokenToId("<s>"));
        Assert.Null(tokenizer.TokenToId("zz"));
        Assert.Equal("<s>", tokenizer.IdToToken(1000));
        Assert.Null(tokenizer.IdToToken(500));
        Assert.Null(tokenizer.IdToToken(-1));
        Assert.Null(tokenizer.IdToToken(1002));
        Assert.True(tokenizer.IsSpecial(1000));
        Assert.False(tokenizer.IsSpecial(1001));
        Assert.Equal("a", tokenizer.Decode([0, 500, -1, 99999], skipSpecialTokens: false));
    }

    [Fact]
    public void The_config_adds_tokens_and_marks_them_special()
    {
        var tokenizer = TinyTokenizer.OfBytes().WithAdded("<tool>", special: false).Build("""
            {"added_tokens_decoder": {"1000": {"content": "<tool>", "special": true}, "1001": {"content": "<extra>", "special": false}}}
            """);
        Assert.True(tokenizer.IsSpecial(1000));
        Assert.Equal([1001, 'a', 1000], tokenizer.Encode("<extra>a<tool>", addSpecialTokens: false));
    }

    [Theory]
    [InlineData('a')]
    [InlineData('\n')]
    [InlineData(' ')]
    [InlineData('1')]
    [InlineData('!')]
    [InlineData('中')]
    [InlineData('\u0301')]
    public void A_million_times_one_character_takes_linear_time(char c)
    {
        var tiny = TinyTokenizer.OfBytes().With("normalizer", """{"type": "NFC"}""");
        var letter = ByteAlphabet.ToChar((byte)c).ToString();
        for (var length = 1; length < 64; length *= 2)
        {
            tiny.WithMerge(string.Concat(Enumerable.Repeat(letter, length)), string.Concat(Enumerable.Repeat(letter, length)));
        }
        var tokenizer = tiny.Build();
        var text = new string(c, 1_000_000) + "x";
        Assert.Equal(text, tokenizer.Decode([.. tokenizer.Encode(text, addSpecialTokens: false)], skipSpecialTokens: false));
    }

    private static string[] Tokens(Tokenizer tokenizer, string text) =>
        [.. tokenizer.Encode(text, addSpecialTokens: false).Select(id => tokenizer.IdToToken(id)!)];
}
