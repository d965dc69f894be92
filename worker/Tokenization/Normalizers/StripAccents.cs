using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>StripAccents</c>: drops combining marks (category M); files put a decomposition before it.</summary>
internal sealed class StripAccents : INormalizer
{
    public string Normalize(string text)
    {
        if (Ascii.IsValid(text))
        {
            return text;
        }
        StringBuilder result = new(text.Length);
        Span<char> utf16 = stackalloc char[2];
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
                or UnicodeCategory.EnclosingMark))
            {
                result.Append(utf16[..rune.EncodeToUtf16(utf16)]);
            }
        }
        return result.ToString();
    }
}
