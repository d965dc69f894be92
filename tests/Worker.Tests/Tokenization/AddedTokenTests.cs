
namespace Cluster.Worker.Tests.Tokenization;

/// <summary>The flags of added tokens. Id 1000 is the first added token, 1001 the second; letters are their code.</summary>
public sealed class AddedTokenTests
{
    [Fact]
    public void The_longest_token_at_the_leftmost_place_wins()
    {
        var tokenizer = TinyTokenizer.OfBytes().WithAdded("<a>").WithAdded("<a><b>").Build();
        Assert.Equal([1001, 1000, '<', 'c', '>'], tokenizer.Encode("<a><b><a><c>", addSpecialTokens: false));
    }

    [Fact]
    public void Strip_flags_swallow_whitespace()
    {
        Assert.Equal(['a', 1000, ' ', 'b'], TinyTokenizer.OfBytes().WithAdded("<m>", lstrip: true).Build().Encode("a \n<m> b", false));
        Assert.Equal(['a', ' ', 1000, 'b'], TinyTokenizer.OfBytes().WithAdded("<m>", rstrip: true).Build().Encode("a <m> \nb", false));
        Assert.Equal(
            [1000, 1000], TinyTokenizer.OfBytes().WithAdded("<m>", lstrip: true, rstrip: true).Build().Encode(" <m>  <m> ", false));
    }

    [Fact]
    public void A_single_word_token_does_not_match_inside_of_a_word()
    {
        var tokenizer = TinyTokenizer.OfBytes().WithAdded("ing", singleWord: true).Build();
        Assert.Equal(['g', 'o', 'i', 'n', 'g', ' ', 1000, '.'], tokenizer.Encode("going ing.", false));
        Assert.Equal(['i', 'n', 'g', '_'], tokenizer.Encode("ing_", false));
    }

    [Fact]
    public void A_normalized_token_is_found_in_normalized_text()
    {
        const string Composed = "é", Decomposed = "e\u0301";
        var normalized = TinyTokenizer.OfBytes().With("normalizer", """{"type": "NFC"}""").WithAdded(Composed, normalized: true).Build();
        Assert.Equal([1000], normalized.Encode(Decomposed, false));
        var raw = TinyTokenizer.OfBytes().With("normalizer", """{"type": "NFC"}""").WithAdded(Composed, normalized: false).Build();
        Assert.Equal([0xC3, 0xA9], raw.Encode(Decomposed, false));
        Assert.Equal([1000], raw.Encode(Composed, false));
    }

    [Fact]
    public void A_token_with_a_space_decodes_as_its_own_text() =>
        Assert.Equal(
            "a<x y>", TinyTokenizer.OfBytes().WithAdded("<x y>", special: false).Build().Decode(['a', 1000], skipSpecialTokens: true));
}
