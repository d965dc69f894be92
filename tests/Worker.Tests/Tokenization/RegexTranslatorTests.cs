using System.Text.Json;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Regexes of tokenizer.json are Oniguruma's: what .NET would read otherwise is matched as Oniguruma does, or refused.</summary>
public sealed class RegexTranslatorTests
{
    private static readonly string Fixture = Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "regexes", "oniguruma-6.9.8.json");

    /// <summary>Regexes that Oniguruma refuses, or that mean what the .NET engine cannot say, with what the message must name.</summary>
    public static TheoryData<string, string> Refused { get; } = new()
    {
        { @"\X", @"\X (a grapheme cluster) is not supported" },
        { @"a\Kb", @"\K is not supported" },
        { @"\Ga", @"\G is not supported" },
        { @"\ya", @"\y is not supported" },
        { @"(a)\1", @"\1 is not supported" },
        { @"(?<n>a)\k<n>", @"\k is not supported" },
        { @"(?<n>a)\g<n>", @"\g is not supported" },
        { @"\u{1F600}", @"write \x{…}" },
        { @"\x{61 62}", "several characters" },
        { @"\xE3\x81\x82", "a byte of a character" },
        { @"\x{110000}", "110000 is no code point" },
        { @"\x{D800}", "D800 is no code point" },
        { @"\p{Greeek}", @"\p{Greeek} is not known" },
        { @"\p{Script=Han}", "is not known" },
        { @"\pL", "needs a name in braces" },
        { @"\Qa\E", @"\Q is not supported" },
        { @"\cA", @"\c is not supported" },
        { @"(?s).", "(?s" },
        { @"(?W:\w)", "(?W" },
        { @"(?~ab)", "(?~" },
        { @"(?(1)a)", "(?(" },
        { @"(*FAIL)", "calls out" },
        { @"a{5,2}", "ends swapped" },
        { @"*a", "nothing to repeat" },
        { @"[a-\d]", "is not supported" },
        { @"[\d-z]", "cannot begin a range" },
        { @"[z-a]", "ends before it begins" },
        { @"[\w--a]", "cannot begin a range" },
        { @"[[:foo:]]", "[:foo:]" },
        { @"[a", "too early" },
        { @"[]", "too early" },
        { @"(a", "no )" },
        { @"a)", "without a (" },
        { @"(?i)ss", "'ss' without regard to case may be one character" },
        { @"(?i:s(?:t))", "'st' without regard to case may be one character" },
        { @"(?i)ß", "folds to several" },
        { @"(?i)[ﬀ-ﬆ]", "folds to several" },
        { new string('(', 200) + new string(')', 200), "nested deeper" },
        { new string('[', 200), "nested deeper" },
        { "a" + new string('*', 200), "repetitions follow each other" },
        { "a{12345678}", "too large" },
        { "a{100001}", "too large" },
        { new string('a', 70_000), "at most 65536 are read" },
    };

    [Fact]
    public void Regexes_match_what_Oniguruma_matches()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixture));
        var count = 0;
        Assert.All(document.RootElement.EnumerateArray(), entry =>
        {
            var regex = entry.GetProperty("regex").GetString()!;
            RegexPattern pattern = new(regex);
            foreach (var text in entry.GetProperty("texts").EnumerateArray())
            {
                var expected = text[1].EnumerateArray().Select(match => match.GetString()!);
                Assert.True(
                    expected.SequenceEqual(Matches(pattern, text[0].GetString()!)),
                    $"{regex} in {text[0]}: expected {text[1]}, found {JsonSerializer.Serialize(Matches(pattern, text[0].GetString()!))}");
                count++;
            }
        });
        Assert.InRange(count, 700, int.MaxValue);
    }

    [Theory, MemberData(nameof(Refused))]
    public void What_cannot_be_matched_alike_is_refused_by_name(string regex, string reason)
    {
        var error = Assert.Throws<ArgumentException>(() => new RegexPattern(regex));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_message_of_a_tokenizer_names_file_place_and_regex()
    {
        using var folder = new TemporaryFolder().With(
            "tokenizer.json",
            """{"model": {"type": "BPE", "vocab": {}, "merges": []}, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\X"}, "behavior": "Isolated"}}""");
        var error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains(
            @"pre_tokenizer.pattern: regex '\X' cannot be used: \X (a grapheme cluster)", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[^\uE001]", "\uE001")]
    [InlineData("\uE001", "\uE002")]
    [InlineData(@"\p{Han}", "\uE000\uE001😀")]
    public void Private_characters_of_a_text_stand_for_themselves_only(string regex, string text) =>
        Assert.Empty(Matches(new RegexPattern(regex), text));

    [Fact]
    public void Offsets_count_units_behind_characters_beyond_the_basic_plane()
    {
        List<TextSpan> matches = [];
        new RegexPattern(@"\p{Han}|b").FindMatches("xx😀b𠀀", 1, 6, matches);
        Assert.Equal([new TextSpan(4, 5), new TextSpan(5, 7)], matches);
    }

    private static string[] Matches(ISplitPattern pattern, string text)
    {
        List<TextSpan> matches = [];
        pattern.FindMatches(text, 0, text.Length, matches);
        return [.. matches.Select(match => text[match.Start..match.End])];
    }
}
