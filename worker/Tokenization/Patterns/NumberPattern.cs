namespace Cluster.Worker.Tokenization;

/// <summary>What <c>Digits</c> splits at: every single code point of the categories Nd, Nl and No.</summary>
internal sealed class NumberPattern : ISplitPattern
{
    public void FindMatches(string text, int start, int length, List<TextSpan> matches)
    {
        ReadOnlySpan<char> window = text.AsSpan(start, length);
        for (int at = 0; at < length;)
        {
            if (CharClasses.At(window, at, out int width) == CharClass.Number)
            {
                matches.Add(new TextSpan(start + at, start + at + width));
            }
            at += width;
        }
    }
}
