using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Any other regex, through the .NET engine. That engine sees UTF-16 units, while the tokenizers' regexes mean code points: a
/// letter beyond the basic multilingual plane must match <c>\p{L}</c>, once. So text with surrogate pairs is matched as a shadow in which
/// each pair is one character of the same general category, and offsets are mapped back.</summary>
internal sealed class RegexPattern : ISplitPattern
{
    // A regex that backtracks without end becomes an error of this one text instead of a hung worker.
    private static readonly TimeSpan DefaultMatchTimeout = TimeSpan.FromSeconds(10);

    private static readonly char[] Representatives = FindRepresentatives();

    private readonly Regex _regex;

    /// <exception cref="ArgumentException">The .NET engine does not know the syntax.</exception>
    /// <param name="matchTimeout">Ten seconds when null.</param>
    public RegexPattern(string regex, TimeSpan? matchTimeout = null) =>
        _regex = new Regex(regex, RegexOptions.Compiled | RegexOptions.CultureInvariant, matchTimeout ?? DefaultMatchTimeout);

    public void FindMatches(string text, int start, int length, List<TextSpan> matches)
    {
        var window = text.AsSpan(start, length);
        if (window.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            Find(window, start, offsets: null, matches);
            return;
        }
        var shadow = new char[length];
        var offsets = new int[length + 1];
        var count = 0;
        for (var i = 0; i < length; i++)
        {
            offsets[count] = start + i;
            var c = window[i];
            if (char.IsHighSurrogate(c) && i + 1 < length && char.IsLowSurrogate(window[i + 1]))
            {
                c = Representatives[(int)CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(c, window[++i]))];
            }
            shadow[count++] = c;
        }
        offsets[count] = start + length;
        Find(shadow.AsSpan(0, count), 0, offsets, matches);
    }

    /// <exception cref="TokenizationException">The regex backtracks too long on this text.</exception>
    private void Find(ReadOnlySpan<char> window, int start, int[]? offsets, List<TextSpan> matches)
    {
        try
        {
            foreach (var match in _regex.EnumerateMatches(window))
            {
                if (match.Length > 0)
                {
                    int from = match.Index, to = match.Index + match.Length;
                    matches.Add(offsets is null ? new TextSpan(start + from, start + to) : new TextSpan(offsets[from], offsets[to]));
                }
            }
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new TokenizationException(
                $"the tokenizer's regex takes more than {_regex.MatchTimeout.TotalSeconds} s to split this text of {window.Length} "
                + "characters; shorten it or break up its long runs", e);
        }
    }

    // The last character of each category is one no regex names literally; categories without one stand in for themselves.
    private static char[] FindRepresentatives()
    {
        var result = new char[Enum.GetValues<UnicodeCategory>().Length];
        Array.Fill(result, '\uFFFD');
        for (var c = 0; c < 0xFFF0; c++)
        {
            result[(int)CharUnicodeInfo.GetUnicodeCategory((char)c)] = (char)c;
        }
        return result;
    }
}
