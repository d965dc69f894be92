using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Constraints;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>Patterns that nobody means: each compiles or is refused, by name and in bounded time.</summary>
public sealed class RegexFuzzTests
{
    private static readonly string[] Pieces =
    [
        "a", "é", "😀", "\ud800", "\0", "\n", ".", "\\", "\\d", "\\W", "\\x", "\\x4", "\\xff", "\\u", "\\u{", "\\u{110000}", "\\u{1F600}",
        "\\c", "\\1", "\\k<n>", "\\Q",
        "[", "]", "[^", "[a-", "[a-\\", "[]", "[^]", "[\\d-z]", "[z-a]", "[[:alpha:]]", "-", "^", "$", "|", "||", "(", ")", "(?", "(?:",
        "(?P<n>", "(?<n>", "(?#", "(?=", "(?i)",
        "*", "+", "?", "{", "}", "{,", "{1", "{1,", "{1,2", "{1,2}", "{0}", "{99999999999}", "{2,1}", "{1024}", "{,5}", "{-1}", "{ 1 }",
    ];

    [Fact]
    public void Any_pattern_compiles_or_is_refused_by_name()
    {
        var random = new Random(11);
        var compiled = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var pattern = string.Concat(Enumerable.Range(0, random.Next(1, 9)).Select(_ => Pieces[random.Next(Pieces.Length)]));
            compiled += Try(pattern) ? 1 : 0;
        }

        Assert.InRange(compiled, 100, 19_900);
    }

    [Fact]
    public void A_good_pattern_cut_anywhere_or_with_one_character_changed_is_no_accident()
    {
        const string Good = "^(?P<year>[0-9]{4})-(?:0[1-9]|1[0-2])[^\\x00-\\x1f\\]a-z\\u{1F600}]{2,5}?(foo|bar\\.|\\\\)*$|^x+\\d\\s\\w$";
        var random = new Random(12);
        Assert.True(Try(Good));
        for (var cut = 0; cut < Good.Length; cut++)
        {
            Try(Good[..cut]);
            Try(Good[cut..]);
            Try(Good.Remove(cut, 1));
            Try(Good.Insert(cut, Pieces[random.Next(Pieces.Length)]));
        }
    }

    [Theory]
    [InlineData("[a-\\")]
    [InlineData("[^")]
    [InlineData("[")]
    [InlineData("(?")]
    [InlineData("(?P<")]
    [InlineData("(?P<n")]
    [InlineData("a{99999999999999999999}")]
    [InlineData("\\u{FFFFFFFFF}")]
    [InlineData("\\x")]
    [InlineData("[\\")]
    [InlineData("(a{1024}){1024}")]
    public void A_pattern_that_breaks_off_or_runs_away_is_refused(string pattern) => Assert.False(Try(pattern));

    /// <returns>False when it was refused with a reason.</returns>
    private static bool Try(string pattern)
    {
        try
        {
            ConstraintCompiler.Build(new Constraint.Regex(pattern));
            return true;
        }
        catch (InvalidRequestException refused)
        {
            Assert.Equal("regex", refused.Parameter);
            Assert.NotEmpty(refused.Message);
            return false;
        }
    }
}
