using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>Replace</c>: every match of a pattern becomes a fixed text.</summary>
internal sealed class Replace(ISplitPattern pattern, string content) : INormalizer
{
    public string Normalize(string text)
    {
        List<TextSpan> matches = [];
        pattern.FindMatches(text, 0, text.Length, matches);
        if (matches.Count == 0)
        {
            return text;
        }
        StringBuilder result = new(text.Length);
        int copied = 0;
        foreach (TextSpan match in matches)
        {
            result.Append(text, copied, match.Start - copied).Append(content);
            copied = match.End;
        }
        return result.Append(text, copied, text.Length - copied).ToString();
    }
}
