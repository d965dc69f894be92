namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary>Hangul syllables are composed of leading, vowel and trailing jamo by arithmetic (The Unicode Standard, section 3.12).</summary>
internal static class HangulSyllables
{
    private const int SBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7;
    private const int LCount = 19, VCount = 21, TCount = 28, SCount = LCount * VCount * TCount;

    public static bool IsSyllable(int code) => code is >= SBase and < SBase + SCount;

    /// <summary>Vowel and trailing jamo, which may join what stands before them.</summary>
    public static bool IsJoiningJamo(int code) => code is >= VBase and < VBase + VCount or > TBase and < TBase + TCount;

    public static void Decompose(int syllable, List<int> target)
    {
        var index = syllable - SBase;
        target.Add(LBase + index / (VCount * TCount));
        target.Add(VBase + index % (VCount * TCount) / TCount);
        if (index % TCount is var trailing and > 0)
        {
            target.Add(TBase + trailing);
        }
    }

    public static int? Compose(int first, int second)
    {
        if (first is >= LBase and < LBase + LCount && second is >= VBase and < VBase + VCount)
        {
            return SBase + ((first - LBase) * VCount + (second - VBase)) * TCount;
        }
        var withoutTrailing = IsSyllable(first) && (first - SBase) % TCount == 0;
        return withoutTrailing && second is > TBase and < TBase + TCount ? first + (second - TBase) : null;
    }
}
