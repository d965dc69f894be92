using System.Globalization;
using System.Text;

namespace Cluster.Worker.Engine.Constraints;

/// <content>Sets of characters, and escapes.</content>
internal sealed partial class RegexParser
{
    private RuneSet ParseClass()
    {
        var negated = Skip('^');
        var ranges = new List<(int Low, int High)>();
        for (var first = true; first || Peek() != ']'; first = false)
        {
            if (Peek() == -1)
            {
                throw Refuse("has a '[' without ']'");
            }

            var low = ParseClassItem();
            if (Peek() == '-' && Peek(1) is not (']' or -1))
            {
                _at++;
                var high = ParseClassItem();
                if (!IsSingle(low) || !IsSingle(high) || low.Ranges[0].Low > high.Ranges[0].Low)
                {
                    throw Refuse("has a range in [] whose ends are not two characters in order");
                }

                low = RuneSet.Of((low.Ranges[0].Low, high.Ranges[0].Low));
            }

            ranges.AddRange(low.Ranges);
        }

        _at++;
        var set = Cased(RuneSet.Of(ranges));
        set = negated ? set.Complement() : set;
        return set.IsEmpty ? throw Refuse("has a [] that no character can match") : set;
    }

    private RuneSet ParseClassItem()
    {
        var rune = _runes[_at++];
        return rune switch
        {
            '\\' => ParseEscape(inClass: true),
            '[' when Peek() is ':' or '.' or '=' => throw Refuse("has a POSIX class in [], which is not supported"),
            _ => RuneSet.Single(rune),
        };
    }

    private static bool IsSingle(RuneSet set) => set.Ranges is [var only] && only.Low == only.High;

    private RuneSet ParseEscape(bool inClass)
    {
        var rune = Peek();
        _at++;
        switch (rune)
        {
            case -1:
                throw Refuse("ends in a single '\\'");
            case 'd':
                return RuneSet.Digits;
            case 'D':
                return RuneSet.Digits.Complement();
            case 'w':
                return RuneSet.Word;
            case 'W':
                return RuneSet.Word.Complement();
            case 's':
                return RuneSet.Space;
            case 'S':
                return RuneSet.Space.Complement();
            case 'n':
                return RuneSet.Single('\n');
            case 'r':
                return RuneSet.Single('\r');
            case 't':
                return RuneSet.Single('\t');
            case 'f':
                return RuneSet.Single('\f');
            case 'v':
                return RuneSet.Single('\v');
            case 'b' when inClass:
                return RuneSet.Single('\b');
            case '0' when Peek() is not (>= '0' and <= '9'):
                return RuneSet.Single(0);
            case 'x':
                return RuneSet.Single(ParseHex(2));
            case 'u':
                return RuneSet.Single(ParseUnicode());
            case 'U':
                return RuneSet.Single(ParseHex(8) is var value && Rune.IsValid(value)
                    ? value
                    : throw Refuse("has an escape \\U that is no character"));
            case 'p':
                return ParseUnicodeClass();
            case 'P':
                return ParseUnicodeClass().Complement();
            case 'b' or 'B' or 'A' or 'Z' or 'z' or 'G':
                throw Refuse($"has the assertion \\{(char)rune}, which is not supported");
            case >= '0' and <= '9' or 'k':
                throw Refuse($"has the backreference \\{(char)rune}, which is not supported");
            case >= 'a' and <= 'z' or >= 'A' and <= 'Z':
                throw Refuse($"has the escape \\{(char)rune}, which is not supported");
            default:
                return RuneSet.Single(rune);
        }
    }

    private RuneSet ParseUnicodeClass()
    {
        var name = new StringBuilder();
        if (Skip('{'))
        {
            while (Peek() is > 0 and not '}' and < 128)
            {
                name.Append((char)_runes[_at++]);
            }

            if (!Skip('}'))
            {
                throw Refuse("has an escape \\p{ without '}'");
            }
        }
        else if (Peek() is > 0 and < 128)
        {
            name.Append((char)_runes[_at++]);
        }

        return UnicodeClasses.Find(name.ToString())
            ?? throw Refuse(
                $"has the class \\p{{{name}}}, which is not supported; known are general categories, such as \\p{{L}} or \\p{{Nd}}");
    }

    private int ParseUnicode()
    {
        int value;
        if (Skip('{'))
        {
            var digits = 0;
            while (Peek(digits) is >= 0 and not '}' && digits < 7)
            {
                digits++;
            }

            value = ParseHex(digits);
            if (!Skip('}'))
            {
                throw Refuse("has an escape \\u{ without '}'");
            }
        }
        else
        {
            value = ParseHex(4);
            if (char.IsHighSurrogate((char)value) && Peek() == '\\' && Peek(1) == 'u')
            {
                _at += 2;
                var low = ParseHex(4);
                value = char.IsLowSurrogate((char)low) ? char.ConvertToUtf32((char)value, (char)low) : value;
            }
        }

        return Rune.IsValid(value) ? value : throw Refuse($"has the escape of U+{value:X4}, which is no character");
    }

    private int ParseHex(int digits)
    {
        var text = new StringBuilder();
        for (var i = 0; i < digits && Peek() is > 0 and < 128; i++)
        {
            text.Append((char)_runes[_at++]);
        }

        return text.Length == digits
            && int.TryParse(text.ToString(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw Refuse("has an escape \\x or \\u without its hexadecimal digits");
    }
}
