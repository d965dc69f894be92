using System.Text;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

public class StopStringMatcherTests
{
    [Fact]
    public void A_possible_start_is_held_back_until_it_is_decided()
    {
        var matcher = new StopStringMatcher(["</s>"], false);

        Assert.Equal("hi ", matcher.Append("hi </"));
        Assert.Equal("", matcher.Append("s"));
        Assert.Equal("</sx", matcher.Append("x"));
        Assert.Equal("y", matcher.Append("y</s>z"));
        Assert.Equal("</s>", matcher.Match);
    }

    [Fact]
    public void What_is_held_comes_out_at_the_end()
    {
        var matcher = new StopStringMatcher(["abc"], false);

        Assert.Equal("x", matcher.Append("xab"));
        Assert.Equal("ab", matcher.Flush());
        Assert.Equal("", matcher.Flush());
    }

    [Fact]
    public void The_stop_text_is_included_when_asked()
    {
        var matcher = new StopStringMatcher(["END"], true);

        Assert.Equal("a ", matcher.Append("a E"));
        Assert.Equal("END", matcher.Append("ND and more"));
        Assert.Equal("END", matcher.Match);
    }

    [Fact]
    public void Of_stop_texts_that_end_together_the_longest_wins()
    {
        var matcher = new StopStringMatcher(["c", "abc"], false);

        Assert.Equal("x", matcher.Append("xabc"));
        Assert.Equal("abc", matcher.Match);
    }

    [Fact]
    public void Without_stop_texts_nothing_is_held()
    {
        Assert.Equal("abc", new StopStringMatcher([], false).Append("abc"));
    }

    [Fact]
    public void Random_texts_in_random_pieces_agree_with_a_search_of_the_whole()
    {
        var random = new Random(1);
        string RandomText(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => "ab\n"[random.Next(3)]));
        Assert.All(Enumerable.Range(0, 3000), round =>
        {
            var text = RandomText(random.Next(1, 40));
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => RandomText(random.Next(1, 7)))];
            var include = random.Next(2) == 0;
            var (expectedText, expectedMatch) = Search(text, stops, include);

            var matcher = new StopStringMatcher(stops, include);
            var actual = new StringBuilder();
            for (var at = 0; at < text.Length && matcher.Match is null;)
            {
                var length = Math.Min(random.Next(1, 5), text.Length - at);
                actual.Append(matcher.Append(text.Substring(at, length)));
                at += length;
                Assert.StartsWith(actual.ToString(), expectedText, StringComparison.Ordinal);
            }

            actual.Append(matcher.Flush());
            Assert.Equal(expectedMatch, matcher.Match);
            Assert.Equal(expectedText, actual.ToString());
        });
    }

    private static (string Text, string? Match) Search(string text, string[] stops, bool include)
    {
        for (var end = 1; end <= text.Length; end++)
        {
            var match = stops.Where(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)).MaxBy(stop => stop.Length);
            if (match is not null)
            {
                return (text[..(include ? end : end - match.Length)], match);
            }
        }

        return (text, null);
    }
}
