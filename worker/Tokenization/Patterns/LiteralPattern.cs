namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>A pattern spelled <c>{"String": …}</c>: ordinal search.</summary>
internal sealed class LiteralPattern(string literal) : ISplitPattern
{
    public void FindMatches(string text, int start, int length, List<TextSpan> matches)
    {
        var end = start + length;
        while (start < end)
        {
            var found = text.AsSpan(start, end - start).IndexOf(literal, StringComparison.Ordinal);
            if (found < 0)
            {
                return;
            }
            matches.Add(new TextSpan(start + found, start + found + literal.Length));
            start += found + literal.Length;
        }
    }
}
