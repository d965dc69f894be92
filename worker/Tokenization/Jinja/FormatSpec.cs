using System.Globalization;
using System.Numerics;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>How one value is laid out: Python's format specification, <c>[[fill]align][sign][#][0][width][grouping][.precision][type]</c>,
/// and what stands behind a <c>%</c>, which has the same parts in other words.</summary>
internal sealed record FormatSpec
{
    /// <summary>Most characters a template may ask for at once.</summary>
    public const int MaxWidth = 1000;

    private static readonly FormatSpec Plain = Parse("");

    public string Fill { get; init; } = " ";

    /// <summary>One of <c>&lt; &gt; ^ =</c>; null for the type's own.</summary>
    public char? Align { get; init; }

    /// <summary><c>+</c> or a blank before positive numbers.</summary>
    public char? Sign { get; init; }

    public bool IsAlternate { get; init; }

    public int Width { get; init; }

    /// <summary>Between thousands.</summary>
    public char? Grouping { get; init; }

    public int? Precision { get; init; }

    /// <summary>Null for the value's own.</summary>
    public char? Type { get; init; }

    /// <exception cref="RenderError">The text is no specification.</exception>
    public static FormatSpec Parse(string text)
    {
        var at = 0;
        var fillLength = text.Length > 1 && char.IsSurrogatePair(text[0], text[1]) ? 2 : 1;
        var filled = text.Length > fillLength && text[fillLength] is '<' or '>' or '^' or '=';
        var fill = filled ? text[..fillLength] : " ";
        at += filled ? fillLength : 0;
        var align = Next("<>^=");
        var sign = Next("+- ");
        var alternate = Next("#") is not null;
        if (Next("0") is not null && align is null)
        {
            (fill, align) = ("0", '=');
        }

        var width = Digits(text, ref at) ?? 0;
        var grouping = Next(",_");
        int? precision = Next(".") is not null
            ? Digits(text, ref at) ?? throw new RenderError($"format '{Undefined.Shorten(text)}' has no precision behind the point")
            : null;
        var type = at < text.Length ? text[at++] : (char?)null;
        return at == text.Length
            ? new FormatSpec
            {
                Fill = fill,
                Align = align,
                Sign = sign,
                IsAlternate = alternate,
                Width = width,
                Grouping = grouping,
                Precision = precision,
                Type = type,
            }
            : throw new RenderError($"'{Undefined.Shorten(text)}' is no format");

        char? Next(string known) => at < text.Length && known.Contains(text[at]) ? text[at++] : null;
    }

    /// <summary>Reads a number and goes past it; null when there is none.</summary>
    public static int? Digits(string format, ref int at)
    {
        var start = at;
        while (at < format.Length && char.IsAsciiDigit(format[at]))
        {
            at++;
        }
        if (at == start)
        {
            return null;
        }
        return int.TryParse(format.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number <= MaxWidth
            ? number
            : throw new RenderError($"format '{Undefined.Shorten(format)}' asks for more than {MaxWidth} characters");
    }

    /// <summary>What Python's <c>format(value, spec)</c> gives.</summary>
    public string Apply(object? value, RenderBudget budget) => value switch
    {
        string text => Text(text, budget),
        bool flag when this == Plain => Text(flag ? "True" : "False", budget),
        bool flag => Integer(flag ? 1 : 0, budget),
        long number => Number(number, budget),
        BigInteger number => Number(number, budget),
        double number => Float(number, budget),
        _ when this == Plain => ValueWriter.ToText(value, budget),
        _ => throw new RenderError($"{Values.TypeName(value)} takes no format"),
    };

    public string Text(string text, RenderBudget budget)
    {
        if (Type is not (null or 's') || Align == '=' && Fill != "0" || Sign is not null || Grouping is not null)
        {
            throw new RenderError($"a string cannot be formatted as '{Type ?? Align ?? Sign ?? Grouping}'");
        }
        if (Precision is { } most && most < text.Length)
        {
            text = CodePoints.Slice(text, CodePoints.Count(text), 0, Math.Min(most, CodePoints.Count(text)), 1, budget);
        }
        return Pad("", text, Align is null or '=' ? '<' : Align.Value, budget);
    }

    /// <summary>A whole number with the type of one, or of a fraction.</summary>
    public string Number(BigInteger number, RenderBudget budget) =>
        Type is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%' ? Float((double)number, budget) : Integer(number, budget);

    public string Float(double number, RenderBudget budget)
    {
        var negative = double.IsNegative(number) && !double.IsNaN(number);
        budget.Characters((Precision ?? 6) + 320);
        var digits = PythonNumber.Float(Math.Abs(number), Type, Precision, IsAlternate)
            ?? throw new RenderError($"a float cannot be formatted as '{Type}'");
        return Signed(negative, "", digits, 3, budget);
    }

    private string Integer(BigInteger number, RenderBudget budget)
    {
        if (Type == 'c')
        {
            return number >= 0 && number <= 0x10FFFF && (number < 0xD800 || number > 0xDFFF)
                ? Pad("", char.ConvertFromUtf32((int)number), Align ?? '<', budget)
                : throw new RenderError($"{number} is no character");
        }
        budget.Characters(number.GetByteCount() * 8);
        var size = BigInteger.Abs(number);
        var (prefix, digits) = Type switch
        {
            null or 'd' or 'n' or 'i' or 'u' => ("", size.ToString(CultureInfo.InvariantCulture)),
            'x' => ("0x", Trimmed(size.ToString("x", CultureInfo.InvariantCulture))),
            'X' => ("0X", Trimmed(size.ToString("X", CultureInfo.InvariantCulture))),
            'o' => ("0o", PythonNumber.Octal(size)),
            'b' => ("0b", Trimmed(size.ToString("b", CultureInfo.InvariantCulture))),
            _ => throw new RenderError($"an int cannot be formatted as '{Type}'"),
        };
        return Signed(number.Sign < 0, IsAlternate ? prefix : "", digits, prefix.Length > 0 ? 4 : 3, budget);

        static string Trimmed(string text) => text.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0";
    }

    private string Signed(bool negative, string prefix, string digits, int group, RenderBudget budget)
    {
        var head = (negative ? "-" : Sign is '+' or ' ' ? Sign.ToString() : "") + prefix;
        if (Grouping is { } separator)
        {
            var whole = digits.AsSpan().IndexOfAnyExcept("0123456789abcdefABCDEF") is >= 0 and var end ? end : digits.Length;
            var zeros = Fill == "0" && Align == '=' ? Width - head.Length - (digits.Length - whole) : 0;
            budget.Characters(2L * Math.Max(digits.Length, zeros));
            digits = PythonNumber.Group(digits[..whole], separator, group, zeros) + digits[whole..];
        }
        return Pad(head, digits, Align ?? '>', budget);
    }

    /// <param name="head">Sign and prefix, which <c>=</c> leaves before the fill.</param>
    private string Pad(string head, string text, char align, RenderBudget budget)
    {
        var missing = (int)Math.Max(0, Width - Values.Length(head) - Values.Length(text));
        budget.Work(text);
        budget.Characters(head.Length + text.Length + 2L * missing * Fill.Length);
        var left = align switch { '<' => 0, '^' => missing / 2, _ => missing };
        string Filled(int count) => Fill.Length == 1 ? new string(Fill[0], count) : string.Concat(Enumerable.Repeat(Fill, count));
        return align == '=' ? head + Filled(missing) + text : Filled(left) + head + text + Filled(missing - left);
    }
}
