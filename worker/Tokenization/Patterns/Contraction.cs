namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>English contractions, the first alternative of most split regexes: <c>'s 't 're 've 'm 'll 'd</c>.</summary>
internal static class Contraction
{
    /// <summary>Length of the contraction at <paramref name="index"/>, or 0.</summary>
    public static int Length(ReadOnlySpan<char> text, int index, bool ignoreCase)
    {
        if (text[index] != '\'' || index + 1 >= text.Length)
        {
            return 0;
        }
        var first = Fold(text[index + 1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd')
        {
            return 2;
        }
        if (index + 2 >= text.Length)
        {
            return 0;
        }
        return (first, Fold(text[index + 2], ignoreCase)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    // Unicode simple case folding: U+017F (long s) folds to s, and the tokenizers' regex engine honours that.
    private static char Fold(char c, bool ignoreCase) =>
        !ignoreCase ? c : c is >= 'A' and <= 'Z' ? (char)(c | 0x20) : c == '\u017F' ? 's' : c;
}
