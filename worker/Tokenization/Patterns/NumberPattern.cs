namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>What <c>Digits</c> splits at: every single code point of the categories Nd, Nl and No.</summary>
internal sealed class NumberPattern : ISplitPattern
{
    public void FindMatches(string text, int start, int length, List<TextSpan> matches)
    {
        var window = text.AsSpan(start, length);
        for (var at = 0; at < length;)
        {
            if (CharClasses.At(window, at, out var width) == CharClass.Number)
            {
                matches.Add(new TextSpan(start + at, start + at + width));
            }
            at += width;
        }
    }
}
