using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>BertNormalizer</c>: control characters away and all whitespace to spaces, spaces around Chinese characters, accents away,
/// lower case; each on request and in this order.</summary>
internal sealed class BertNormalizer(bool cleansText, bool separatesChinese, bool stripsAccents, bool lowers) : INormalizer
{
    private static readonly UnicodeForm Decomposition = new(NormalizationForm.FormD);

    private static readonly Lowercase Lowercase = new();

    public string Normalize(string text)
    {
        text = cleansText || separatesChinese ? Rewrite(text) : text;
        text = stripsAccents ? WithoutMarks(Decomposition.Normalize(text)) : text;
        return lowers ? Lowercase.Normalize(text) : text;
    }

    private string Rewrite(string text)
    {
        StringBuilder result = new(text.Length);
        Span<char> utf16 = stackalloc char[2];
        foreach (var rune in text.EnumerateRunes())
        {
            if (cleansText && IsControl(rune))
            {
                continue;
            }
            if (cleansText && Rune.IsWhiteSpace(rune))
            {
                result.Append(' ');
            }
            else if (separatesChinese && IsChinese(rune.Value))
            {
                result.Append(' ').Append(utf16[..rune.EncodeToUtf16(utf16)]).Append(' ');
            }
            else
            {
                result.Append(utf16[..rune.EncodeToUtf16(utf16)]);
            }
        }
        return result.ToString();
    }

    private static string WithoutMarks(string text)
    {
        StringBuilder result = new(text.Length);
        Span<char> utf16 = stackalloc char[2];
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark)
            {
                result.Append(utf16[..rune.EncodeToUtf16(utf16)]);
            }
        }
        return result.ToString();
    }

    private static bool IsControl(Rune rune) => rune.Value is 0 or 0xFFFD
        || (rune.Value is not ('\t' or '\n' or '\r')
            && Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse);

    // The blocks that Hugging Face tokenizers has, of which the one from 2B920 on begins 256 characters after its block.
    private static bool IsChinese(int code) => code is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF)
        or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF)
        or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}
