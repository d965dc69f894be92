namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>The whitespace alternatives that end most split regexes.</summary>
internal static class Whitespace
{
    /// <summary>End of the match of <c>\s+(?!\S)|\s+</c>: a run before a word leaves its last character to the word.</summary>
    /// <param name="runEnd">End of the whitespace run that starts at <paramref name="at"/>. Whitespace is one UTF-16 unit a
    /// character.</param>
    public static int MatchEnd(ReadOnlySpan<char> text, int at, int runEnd) =>
        runEnd == text.Length || runEnd - at == 1 ? runEnd : runEnd - 1;

    /// <summary>End of the match of <c>\s*[\r\n]+|\s+(?!\S)|\s+</c>: up to the run's last line break where it has one.</summary>
    public static int MatchEndWithLineBreaks(ReadOnlySpan<char> text, int at, int runEnd)
    {
        var lastBreak = text[at..runEnd].LastIndexOfAny('\r', '\n');
        return lastBreak >= 0 ? at + lastBreak + 1 : MatchEnd(text, at, runEnd);
    }
}
