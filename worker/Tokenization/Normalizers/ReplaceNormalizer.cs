using System.Text;
using Cluster.Worker.Tokenization.Patterns;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>Replace</c>: every match of a pattern becomes a fixed text.</summary>
internal sealed class ReplaceNormalizer(ISplitPattern pattern, string content) : INormalizer
{
    // A tokenizer.json can chain replacements that each double the text.
    private const int MaxLength = 1 << 26;

    /// <exception cref="TokenizationException">The text would grow beyond all measure.</exception>
    public string Normalize(string text)
    {
        List<TextSpan> matches = [];
        pattern.FindMatches(text, 0, text.Length, matches);
        if (matches.Count == 0)
        {
            return text;
        }
        if (text.Length + ((long)matches.Count * content.Length) > MaxLength)
        {
            throw new TokenizationException(
                $"the tokenizer's replacements make a text of {text.Length} characters longer than {MaxLength}; at most that many are "
                + "encoded");
        }
        StringBuilder result = new(text.Length);
        var copied = 0;
        foreach (var match in matches)
        {
            result.Append(text, copied, match.Start - copied).Append(content);
            copied = match.End;
        }
        return result.Append(text, copied, text.Length - copied).ToString();
    }
}
