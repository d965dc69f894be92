namespace Cluster.Worker.Tokenization.Patterns;

/// <summary><see cref="KnownRegexes.Gpt2"/> by hand. Every code point belongs to a match.</summary>
internal sealed class Gpt2Scanner : ISplitPattern
{
    public void FindMatches(string text, int start, int length, List<TextSpan> matches)
    {
        var window = text.AsSpan(start, length);
        for (var at = 0; at < length;)
        {
            var end = MatchEnd(window, at);
            matches.Add(new TextSpan(start + at, start + end));
            at = end;
        }
    }

    private static int MatchEnd(ReadOnlySpan<char> text, int at)
    {
        var contraction = Contraction.Length(text, at, ignoreCase: false);
        if (contraction > 0)
        {
            return at + contraction;
        }
        var body = text[at] == ' ' && at + 1 < text.Length ? at + 1 : at;
        var bodyClass = CharClasses.At(text, body, out _);
        if ((bodyClass & CharClass.Space) == 0)
        {
            return bodyClass == CharClass.Other ? CharClasses.SkipOthers(text, body) : CharClasses.SkipRun(text, body, bodyClass);
        }
        return Whitespace.MatchEnd(text, at, CharClasses.SkipRun(text, at, CharClass.Space));
    }
}
