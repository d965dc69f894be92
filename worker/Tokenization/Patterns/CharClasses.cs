using System.Globalization;

namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>The character classes split regexes are made of. <c>Space</c> is Unicode White_Space (what <c>\s</c> means to the regex
/// engine of Hugging Face tokenizers), <c>Newline</c> is CR and LF only.</summary>
[Flags]
internal enum CharClass : byte
{
    Other = 0,
    Letter = 1,
    Number = 2,
    Space = 4,
    Newline = 8,
}

/// <summary>Looks classes up by code point: one table for the basic multilingual plane, the category function beyond it.</summary>
internal static class CharClasses
{
    private static readonly byte[] Table = BuildTable();

    /// <summary>Class of the code point at <paramref name="index"/>; an unpaired surrogate is <see cref="CharClass.Other"/>.</summary>
    /// <param name="width">UTF-16 units it takes: 1 or 2.</param>
    public static CharClass At(ReadOnlySpan<char> text, int index, out int width)
    {
        var c = text[index];
        if (char.IsHighSurrogate(c) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            width = 2;
            return Of(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(c, text[index + 1])));
        }
        width = 1;
        return (CharClass)Table[c];
    }

    /// <summary>End of the run of code points from <paramref name="index"/> on whose class has one of the bits of
    /// <paramref name="classes"/>.</summary>
    public static int SkipRun(ReadOnlySpan<char> text, int index, CharClass classes)
    {
        while (index < text.Length && (At(text, index, out var width) & classes) != 0)
        {
            index += width;
        }
        return index;
    }

    /// <summary>End of the run of code points that are neither letter, number nor space.</summary>
    public static int SkipOthers(ReadOnlySpan<char> text, int index)
    {
        while (index < text.Length && At(text, index, out var width) == CharClass.Other)
        {
            index += width;
        }
        return index;
    }

    private static byte[] BuildTable()
    {
        var table = new byte[char.MaxValue + 1];
        for (var c = 0; c < table.Length; c++)
        {
            table[c] = (byte)Of(CharUnicodeInfo.GetUnicodeCategory((char)c));
        }
        for (int c = '\t'; c <= '\r'; c++)
        {
            table[c] = (byte)CharClass.Space;
        }
        table[0x85] = (byte)CharClass.Space;
        table['\r'] = table['\n'] = (byte)(CharClass.Space | CharClass.Newline);
        return table;
    }

    private static CharClass Of(UnicodeCategory category) => category switch
    {
        <= UnicodeCategory.OtherLetter => CharClass.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharClass.Number,
        UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => CharClass.Space,
        _ => CharClass.Other,
    };
}
