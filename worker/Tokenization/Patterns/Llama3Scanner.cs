namespace Cluster.Worker.Tokenization.Patterns;

/// <summary><see cref="KnownRegexes.Llama3"/> and <see cref="KnownRegexes.Qwen"/> by hand; they differ in how many digits stay together.
/// Every code point belongs to a match.</summary>
internal sealed class Llama3Scanner(int maxDigits) : ISplitPattern
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

    // The alternatives in the regex's order; the first that matches wins, as in a backtracking engine.
    private int MatchEnd(ReadOnlySpan<char> text, int at)
    {
        var contraction = Contraction.Length(text, at, ignoreCase: true);
        if (contraction > 0)
        {
            return at + contraction;
        }
        var first = CharClasses.At(text, at, out var width);
        var next = at + width;
        switch (first)
        {
            case CharClass.Letter:
                return CharClasses.SkipRun(text, next, CharClass.Letter);
            case CharClass.Number:
                return Digits(text, next);
            case CharClass.Space or CharClass.Other when next < text.Length && CharClasses.At(text, next, out _) == CharClass.Letter:
                return CharClasses.SkipRun(text, next, CharClass.Letter);
            case CharClass.Other:
                return Breaks(text, CharClasses.SkipOthers(text, next));
            case CharClass.Space when text[at] == ' ' && next < text.Length && CharClasses.At(text, next, out _) == CharClass.Other:
                return Breaks(text, CharClasses.SkipOthers(text, next));
            default:
                return Whitespace.MatchEndWithLineBreaks(text, at, CharClasses.SkipRun(text, at, CharClass.Space));
        }
    }

    private int Digits(ReadOnlySpan<char> text, int at)
    {
        for (var count = 1; count < maxDigits && at < text.Length; count++)
        {
            if (CharClasses.At(text, at, out var width) != CharClass.Number)
            {
                break;
            }
            at += width;
        }
        return at;
    }

    private static int Breaks(ReadOnlySpan<char> text, int at) => CharClasses.SkipRun(text, at, CharClass.Newline);
}
