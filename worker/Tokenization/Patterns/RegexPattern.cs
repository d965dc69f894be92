using System.Text.RegularExpressions;

namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Any other regex, through the .NET engine, which <see cref="RegexTranslator"/> makes read it as the tokenizers' engine does.
/// That engine matches code points and .NET's UTF-16 units, see <see cref="StandIns"/>.</summary>
internal sealed class RegexPattern : ISplitPattern
{
    // A regex that backtracks without end becomes an error of this one text instead of a hung worker.
    private static readonly TimeSpan DefaultMatchTimeout = TimeSpan.FromSeconds(10);

    private readonly Regex _regex;
    private readonly StandIns _standIns;

    /// <exception cref="ArgumentException">The regex is wrong, or has what cannot be matched alike.</exception>
    /// <param name="regex">In the syntax of Oniguruma.</param>
    /// <param name="matchTimeout">Ten seconds when null.</param>
    public RegexPattern(string regex, TimeSpan? matchTimeout = null)
    {
        (var translated, _standIns) = RegexTranslator.Translate(regex);
        _regex = new Regex(translated, RegexOptions.Compiled | RegexOptions.CultureInvariant, matchTimeout ?? DefaultMatchTimeout);
    }

    public void FindMatches(string text, int start, int length, List<TextSpan> matches)
    {
        var window = text.AsSpan(start, length);
        if (StandIns.Leaves(window))
        {
            Find(window, start, offsets: null, matches);
            return;
        }
        var shadow = new char[length];
        var offsets = new int[length + 1];
        var count = _standIns.Replace(window, shadow, offsets);
        Find(shadow.AsSpan(0, count), start, offsets, matches);
    }

    /// <param name="start">Of the window in its text.</param>
    /// <param name="offsets">Places in the window of what is matched; null where they are the same.</param>
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
                    matches.Add(offsets is null
                        ? new TextSpan(start + from, start + to)
                        : new TextSpan(start + offsets[from], start + offsets[to]));
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
}
