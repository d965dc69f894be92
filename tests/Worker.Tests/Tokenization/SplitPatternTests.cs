using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Patterns;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tests.Tokenization;

public sealed class SplitPatternTests
{
    [Theory]
    [InlineData(KnownRegexes.Gpt2)]
    [InlineData(KnownRegexes.Llama3)]
    [InlineData(KnownRegexes.Qwen)]
    public void A_scanner_finds_what_its_regex_finds(string regex)
    {
        var scanner = KnownRegexes.Find(regex)!;
        RegexPattern oracle = new(regex);
        Random random = new(11);
        Assert.All(Enumerable.Range(0, 3000), i =>
        {
            var text = RandomText.Make(random, 30);
            Assert.Equal(Words(oracle, text), Words(scanner, text));
        });
    }

    [Fact]
    public void Llama3_groups_three_digits_and_Qwen_one()
    {
        Assert.Equal(["123", "45", " ", "6"], Words(KnownRegexes.Find(KnownRegexes.Llama3)!, "12345 6"));
        Assert.Equal(["1", "2", " ", "3"], Words(KnownRegexes.Find(KnownRegexes.Qwen)!, "12 3"));
    }

    [Fact]
    public void The_long_s_makes_a_contraction_because_case_folding_says_so() =>
        Assert.Equal(["it", "'ſ", " x"], Words(KnownRegexes.Find(KnownRegexes.Llama3)!, "it'ſ x"));

    [Fact]
    public void A_regex_sees_code_points_beyond_the_basic_plane() =>
        Assert.Equal(["𝒜b", "𝟘", "😀"], Words(new RegexPattern(@"\p{L}+|\p{N}|\p{So}"), "𝒜b𝟘😀"));

    [Fact]
    public void Offsets_count_from_the_start_of_the_string_and_look_ahead_ends_with_the_window()
    {
        var text = "xx  yy";
        Assert.All((ISplitPattern[])[KnownRegexes.Find(KnownRegexes.Llama3)!, new RegexPattern(KnownRegexes.Llama3)], pattern =>
        {
            List<TextSpan> matches = [];
            pattern.FindMatches(text, 1, 3, matches);
            Assert.Equal([new TextSpan(1, 2), new TextSpan(2, 4)], matches);
        });
    }

    [Theory]
    [InlineData(SplitBehavior.Removed, "the", "final", "countdown")]
    [InlineData(SplitBehavior.Isolated, "the", "-", "final", "-", "-", "countdown")]
    [InlineData(SplitBehavior.MergedWithPrevious, "the-", "final-", "-", "countdown")]
    [InlineData(SplitBehavior.MergedWithNext, "the", "-final", "-", "-countdown")]
    [InlineData(SplitBehavior.Contiguous, "the", "-", "final", "--", "countdown")]
    internal void Each_behavior_treats_delimiters_its_way(SplitBehavior behavior, params string[] expected)
    {
        IPreTokenizer split = new Split(new LiteralPattern("-"), behavior, invert: false);
        Assert.Equal(expected, Pieces(split, "the-final--countdown"));
    }

    [Fact]
    public void Inverted_the_matches_are_the_words()
    {
        IPreTokenizer split = new Split(new RegexPattern(@"\w+"), SplitBehavior.Removed, invert: true);
        Assert.Equal(["a", "b"], Pieces(split, " a, b!"));
    }

    [Fact]
    public void Digits_stand_alone_or_together()
    {
        Assert.Equal(["a", "1", "²", "b"], Pieces(new Split(new NumberPattern(), SplitBehavior.Isolated, invert: false), "a1²b"));
        Assert.Equal(["a", "1²", "b"], Pieces(new Split(new NumberPattern(), SplitBehavior.Contiguous, invert: false), "a1²b"));
    }

    [Fact]
    public void Byte_level_spells_bytes_and_puts_a_space_in_front()
    {
        Assert.Equal(["ĠHi", "Ġ", "ĠÃ©"], Pieces(new ByteLevelPreTokenizer(addPrefixSpace: true, useRegex: true), "Hi  é"));
        Assert.Equal(
            ["HiĠé".Replace("é", "Ã©", StringComparison.Ordinal)],
            Pieces(new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: false), "Hi é"));
    }

    private static string[] Words(ISplitPattern pattern, string text)
    {
        List<TextSpan> matches = [];
        pattern.FindMatches(text, 0, text.Length, matches);
        return [.. matches.Select(match => text[match.Start..match.End])];
    }

    private static string[] Pieces(IPreTokenizer preTokenizer, string text) =>
        [.. preTokenizer.Split([new Piece(text, 0, text.Length, StartsText: true)]).Select(piece => piece.Span.ToString())];
}
