using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>NFC</c>, <c>NFD</c>, <c>NFKC</c> and <c>NFKD</c> (Unicode Standard Annex 15): decompose, order combining marks, compose.
/// <see cref="string.Normalize()"/> is no help here: without ICU, in globalization-invariant mode, it returns its input.</summary>
internal sealed class UnicodeForm(NormalizationForm form) : INormalizer
{
    private readonly bool _compose = form is NormalizationForm.FormC or NormalizationForm.FormKC;
    private readonly bool _compatibility = form is NormalizationForm.FormKC or NormalizationForm.FormKD;

    public string Normalize(string text)
    {
        if (IsUnchanged(text))
        {
            return text;
        }
        var codes = Decompose(text);
        OrderMarks(codes);
        if (_compose)
        {
            Compose(codes);
        }
        StringBuilder result = new(text.Length);
        Span<char> utf16 = stackalloc char[2];
        foreach (var code in codes)
        {
            result.Append(utf16[..new Rune(code).EncodeToUtf16(utf16)]);
        }
        return result.ToString();
    }

    private bool IsUnchanged(string text)
    {
        if (Ascii.IsValid(text))
        {
            return true;
        }
        if (form != NormalizationForm.FormC)
        {
            return false;
        }
        foreach (var rune in text.EnumerateRunes())
        {
            // Nothing below the combining marks (U+0300) composes or decomposes in NFC.
            if (rune.Value >= 0x300 && (!UnicodeTables.Shared.IsStableInNfc(rune.Value) || HangulSyllables.IsJoiningJamo(rune.Value)))
            {
                return false;
            }
        }
        return true;
    }

    private List<int> Decompose(string text)
    {
        List<int> codes = new(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (HangulSyllables.IsSyllable(rune.Value))
            {
                HangulSyllables.Decompose(rune.Value, codes);
            }
            else if (rune.Value >= 0xA0 && UnicodeTables.Shared.Decomposition(rune.Value, _compatibility) is { } parts)
            {
                codes.AddRange(parts);
            }
            else
            {
                codes.Add(rune.Value);
            }
        }
        return codes;
    }

    // Each run of marks is sorted by combining class; marks of one class keep their order. A long run is somebody's attack, so no bubble
    // sort.
    private static void OrderMarks(List<int> codes)
    {
        for (var start = 0; start < codes.Count; start++)
        {
            if (CombiningClass(codes[start]) == 0)
            {
                continue;
            }
            var end = start + 1;
            while (end < codes.Count && CombiningClass(codes[end]) != 0)
            {
                end++;
            }
            if (end - start > 1)
            {
                int[] sorted = [.. codes[start..end].OrderBy(CombiningClass)];
                for (var i = start; i < end; i++)
                {
                    codes[i] = sorted[i - start];
                }
            }
            start = end;
        }
    }

    // A mark joins the last starter unless one of the same or a higher class, or another starter, stands between them.
    private static void Compose(List<int> codes)
    {
        int kept = 0, starter = -1, lastClass = 0;
        for (var i = 0; i < codes.Count; i++)
        {
            int code = codes[i], combiningClass = CombiningClass(code);
            var adjacent = starter >= 0 && kept == starter + 1;
            if (starter >= 0 && (adjacent || lastClass < combiningClass) && Pair(codes[starter], code) is { } composed)
            {
                codes[starter] = composed;
                continue;
            }
            if (combiningClass == 0)
            {
                starter = kept;
            }
            lastClass = combiningClass;
            codes[kept++] = code;
        }
        codes.RemoveRange(kept, codes.Count - kept);
    }

    private static int? Pair(int first, int second) =>
        HangulSyllables.Compose(first, second) ?? UnicodeTables.Shared.Composition(first, second);

    private static int CombiningClass(int code) => code < 0x300 ? 0 : UnicodeTables.Shared.CombiningClass(code);
}
