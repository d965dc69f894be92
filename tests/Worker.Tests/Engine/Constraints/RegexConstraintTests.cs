using System.Text.RegularExpressions;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Constraints;

namespace Cluster.Worker.Tests.Engine.Constraints;

public sealed class RegexConstraintTests
{
    [Fact]
    public void Random_patterns_accept_what_dotnets_regular_expressions_accept()
    {
        var random = new Random(1);
        Assert.All(Enumerable.Range(0, 400), i =>
        {
            var pattern = Pattern(random, 3);
            var constraint = new CompiledConstraint(
                ConstraintCompiler.Build(new Constraint.Regex(pattern)), new TokenTrie(Compiled.Tokenizer, 257, [Compiled.Eos]));
            var reference = new Regex($"^(?:{Ascii(pattern)})\\z", RegexOptions.NonBacktracking);
            for (var j = 0; j < 30; j++)
            {
                var text = string.Concat(Enumerable.Range(0, random.Next(7)).Select(_ => "abc0_é日\n -"[random.Next(10)]));
                Assert.True(reference.IsMatch(text) == constraint.Accepts(text), $"/{pattern}/ on '{text}'");
            }
        });
    }

    [Theory]
    [InlineData("[a-z]{3,5}\\d+")]
    [InlineData("(foo|bar)*baz?")]
    [InlineData("[^\\x00-\\x7f]{2}|\\u{1F600}")]
    [InlineData("^(yes|no)$|^maybe$")]
    [InlineData("(?P<year>\\d{4})-(?:0[1-9]|1[0-2])")]
    public void Sampled_outputs_match(string pattern)
    {
        var constraint = Compiled.Of(new Constraint.Regex(pattern));
        var random = new Random(2);
        var reference = new Regex(
            $"^(?:{pattern.Replace("\\u{1F600}", "😀", StringComparison.Ordinal).Replace("?P<", "?<", StringComparison.Ordinal)})\\z");
        Assert.All(Enumerable.Range(0, 50), i =>
        {
            if (constraint.Sample(random, 200) is { } text)
            {
                // .NET counts characters beyond U+FFFF twice.
                Assert.True(text.Any(char.IsSurrogate) || reference.IsMatch(text), text);
            }
        });
    }

    /// <summary>What automata do with assertions, against an engine that walks them one by one.</summary>
    [Theory]
    [InlineData("\\bab\\b.*")]
    [InlineData(".*\\Ba\\B.*")]
    [InlineData("(\\ba|-)*")]
    [InlineData("(?!ab)[a-c]+")]
    [InlineData("(?=.*a)(?=.*\\d)[abc0]{2,5}")]
    [InlineData("^(?!.*bb).*$")]
    [InlineData("a(?!b).*")]
    [InlineData("a(?=.*c)[^a]*|b+")]
    [InlineData(".*(?!a)")]
    [InlineData("(?i)aB(c|é)*")]
    [InlineData("a(?i:b)c")]
    [InlineData("(?i)[a-b]{2}[^c]")]
    [InlineData("(?s)a.b")]
    [InlineData("\\p{L}+\\p{Nd}?")]
    [InlineData("[^\\p{Ll}]+|\\P{L}")]
    [InlineData("(^a|b$)?c?")]
    [InlineData("(a$|b)(\\b|c)*")]
    [InlineData("\\A[ab]*\\Z")]
    public void Assertions_classes_and_flags_accept_what_dotnets_do(string pattern)
    {
        var constraint = Compiled.Of(new Constraint.Regex(pattern));
        var ascii = Ascii(pattern).Replace("\\b", Boundary, StringComparison.Ordinal)
            .Replace("\\B", NoBoundary, StringComparison.Ordinal);
        var reference = new Regex($"^(?:{ascii})\\z", RegexOptions.CultureInvariant);
        var random = new Random(4);
        var accepted = 0;
        for (var i = 0; i < 4000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => "aabbcABC0_é\n -"[random.Next(14)]));
            accepted += reference.IsMatch(text) ? 1 : 0;
            Assert.True(reference.IsMatch(text) == constraint.Accepts(text), $"/{pattern}/ on '{text}'");
        }

        Assert.InRange(accepted, 1, 3999);
    }

    [Fact]
    public void A_choice_is_one_of_its_texts()
    {
        string[] choices = ["ab", "abc", "日本語", "abd\"", "x"];
        var constraint = Compiled.Of(new Constraint.Choice(choices));
        var random = new Random(3);
        Assert.Equal(choices.Order(), Enumerable.Range(0, 200).Select(_ => constraint.Sample(random, 100)!).Distinct().Order());
    }

    [Theory]
    [InlineData("(?<!a)b", "lookbehind")]
    [InlineData("(a)\\1", "backreference")]
    [InlineData("a++", "possessive")]
    [InlineData("(?>a)", "atomic")]
    [InlineData("a{5000}", "1024")]
    [InlineData("((a{1000}){1000}){1000}", "200000 nodes")]
    [InlineData("(a", "without ')'")]
    [InlineData("a)", "without '('")]
    [InlineData("[a", "without ']'")]
    [InlineData("[z-a]", "range")]
    [InlineData("a{3,2}", "order")]
    [InlineData("*a", "nothing before")]
    [InlineData("(?=a)b", "no text")]
    [InlineData("a(^b)", "no text")]
    [InlineData("(?:(?!foo).)*", "lookahead inside a group")]
    [InlineData("\\p{Script=Greek}", "\\p{Script=Greek}")]
    [InlineData("a(?i)b", "flags")]
    [InlineData("(?x)a", "known flags")]
    [InlineData("\\", "single")]
    public void What_cannot_be_compiled_is_refused_by_name(string pattern, string named)
    {
        var refused = Assert.Throws<InvalidRequestException>(() => Compiled.Of(new Constraint.Regex(pattern)));
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.Equal("regex", refused.Parameter);
    }

    [Fact]
    public void Deep_groups_and_many_choices_are_refused_with_the_limit()
    {
        Assert.Contains(
            "64", Assert.Throws<InvalidRequestException>(() => Compiled.Of(new Constraint.Regex(new string('(', 100_000)))).Message,
            StringComparison.Ordinal);
        var looks = string.Concat(Enumerable.Repeat("(?=a)", 100_000));
        Assert.Contains(
            "lookaheads", Assert.Throws<InvalidRequestException>(() => Compiled.Of(new Constraint.Regex(looks))).Message,
            StringComparison.Ordinal);
        var choices = Enumerable.Range(0, 10_000).Select(i => $"{i}").ToArray();
        Assert.Contains(
            "4096", Assert.Throws<InvalidRequestException>(() => Compiled.Of(new Constraint.Choice(choices))).Message,
            StringComparison.Ordinal);
    }

    /// <summary>Alternatives of one character and empty ones need no nodes, only edges.</summary>
    [Theory]
    [InlineData("a")]
    [InlineData("")]
    public void Many_alternatives_many_times_over_are_refused_before_they_take_memory(string alternative)
    {
        var pattern = $"({string.Join('|', Enumerable.Repeat(alternative, 20_000))}){{1000}}";
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Contains(
            "edges", Assert.Throws<InvalidRequestException>(() => Compiled.Of(new Constraint.Regex(pattern))).Message,
            StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200 << 20);
    }

    [Fact]
    public void A_pattern_that_makes_backtracking_explode_costs_nothing_here()
    {
        var constraint = Compiled.Of(new Constraint.Regex("(a|a)*(a|aa)*(a*)*b"));
        Assert.False(constraint.Accepts(new string('a', 10_000)));
        Assert.True(constraint.Accepts(new string('a', 10_000) + "b"));
    }

    /// <summary>.NET's \b is Unicode's; ours is ASCII's, as in ECMAScript.</summary>
    private const string Boundary = "(?:(?<![0-9A-Z_a-z])(?=[0-9A-Z_a-z])|(?<=[0-9A-Z_a-z])(?![0-9A-Z_a-z]))";

    private const string NoBoundary = "(?:(?<![0-9A-Z_a-z])(?![0-9A-Z_a-z])|(?<=[0-9A-Z_a-z])(?=[0-9A-Z_a-z]))";

    /// <summary>.NET's classes without ECMAScript mode, which its linear-time engine does not have, are Unicode.</summary>
    private static string Ascii(string pattern) => pattern
        .Replace("[^ab\\d]", "[^ab0-9]", StringComparison.Ordinal)
        .Replace("\\d", "[0-9]", StringComparison.Ordinal)
        .Replace("\\w", "[0-9A-Z_a-z]", StringComparison.Ordinal)
        .Replace("\\s", "[\\t-\\r ]", StringComparison.Ordinal);

    private static string Pattern(Random random, int depth) => random.Next(depth == 0 ? 4 : 9) switch
    {
        0 => "a",
        1 => "[b-c0]",
        2 => random.Next(3) switch { 0 => "\\d", 1 => "\\w", _ => "\\s" },
        3 => random.Next(3) switch { 0 => ".", 1 => "[^ab\\d]", _ => "é" },
        4 or 5 => Pattern(random, depth - 1) + Pattern(random, depth - 1),
        6 => $"({Pattern(random, depth - 1)}|{Pattern(random, depth - 1)})",
        7 => $"(?:{Pattern(random, depth - 1)}){random.Next(5) switch { 0 => "*", 1 => "+", 2 => "?", 3 => "{1,3}", _ => "{2}" }}",
        _ => $"(?:{Pattern(random, depth - 1)}){{{random.Next(2)},}}?",
    };
}
