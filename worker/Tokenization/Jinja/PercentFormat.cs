using System.Globalization;
using System.Numerics;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's <c>"%s is %(age)d" % …</c>, also the filter <c>format</c>: every conversion, with flags, width, precision, names of a
/// dict and <c>*</c>.</summary>
internal static class PercentFormat
{
    public static string Apply(string format, object? value, RenderBudget budget)
    {
        var values = Values.Tuple(value) ?? new[] { value };
        budget.Work(format);
        StringBuilder result = new();
        var used = 0;
        var byName = false;
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                var end = format.IndexOf('%', i) is >= 0 and var found ? found : format.Length;
                Append(format[i..end]);
                i = end - 1;
                continue;
            }
            budget.Step();
            i++;
            object? named = null;
            var hasName = i < format.Length && format[i] == '(';
            if (hasName)
            {
                named = Named(format, ref i, value, budget);
                byName = true;
            }
            var spec = Spec(format, ref i, Next);
            if (spec.Type == '%')
            {
                Append("%");
                continue;
            }
            Append(One(spec, hasName ? named : Next(), budget));
        }
        budget.Characters(result.Length);
        return byName || used == values.Count || value is Dict or List<object?>
            ? result.ToString()
            : throw new RenderError($"format '{Undefined.Shorten(format)}' needs {used} values, not {values.Count}");

        object? Next() => used < values.Count
            ? values[used++]
            : throw new RenderError($"format '{Undefined.Shorten(format)}' needs more than {used} values");

        void Append(string text)
        {
            budget.Characters(text.Length);
            result.Append(text);
        }
    }

    /// <summary>A text with escapes for what is not ASCII.</summary>
    public static string Ascii(string text, RenderBudget budget)
    {
        StringBuilder result = new(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            budget.Characters(rune.IsAscii ? 1 : 10);
            _ = rune.Value switch
            {
                < 128 => result.Append((char)rune.Value),
                < 256 => result.Append(CultureInfo.InvariantCulture, $"\\x{rune.Value:x2}"),
                < 65536 => result.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
                _ => result.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}"),
            };
        }
        return result.ToString();
    }

    private static object? Named(string format, ref int at, object? value, RenderBudget budget)
    {
        var close = format.IndexOf(')', at);
        if (close < 0)
        {
            throw new RenderError($"format '{Undefined.Shorten(format)}' has a name that is not closed");
        }
        var name = format[(at + 1)..close];
        at = close + 1;
        return value is not Dict dict
            ? throw new RenderError($"format '{Undefined.Shorten(format)}' needs a dict, not {Values.TypeName(value)}")
            : dict.TryGet(name, out var found, budget) ? found
            : throw new RenderError($"the format has no value '{Undefined.Shorten(name)}'");
    }

    private static FormatSpec Spec(string format, ref int at, Func<object?> next)
    {
        var flags = at;
        while (at < format.Length && format[at] is '-' or '0' or '+' or ' ' or '#')
        {
            at++;
        }
        var flagText = format[flags..at];
        var width = Size(format, ref at, next) ?? 0;
        int? precision = null;
        if (at < format.Length && format[at] == '.')
        {
            at++;
            precision = Math.Max(0, Size(format, ref at, next) ?? 0);
        }
        while (at < format.Length && format[at] is 'h' or 'l' or 'L')
        {
            at++;
        }
        if (at >= format.Length)
        {
            throw new RenderError($"format '{Undefined.Shorten(format)}' ends inside of a placeholder");
        }
        var left = width < 0 || flagText.Contains('-');
        var zeros = flagText.Contains('0') && !left;
        return new FormatSpec
        {
            Fill = zeros ? "0" : " ",
            Align = left ? '<' : zeros ? '=' : '>',
            Sign = flagText.Contains('+') ? '+' : flagText.Contains(' ') ? ' ' : null,
            IsAlternate = flagText.Contains('#'),
            Width = Math.Abs(width),
            Precision = precision,
            Type = format[at],
        };
    }

    private static int? Size(string format, ref int at, Func<object?> next)
    {
        if (at >= format.Length || format[at] != '*')
        {
            return FormatSpec.Digits(format, ref at);
        }
        at++;
        return next() is long size and >= -FormatSpec.MaxWidth and <= FormatSpec.MaxWidth
            ? (int)size
            : throw new RenderError($"'*' in a format needs a whole number of at most {FormatSpec.MaxWidth}");
    }

    private static string One(FormatSpec spec, object? value, RenderBudget budget)
    {
        var text = spec with { Type = 's', Sign = null, Fill = " ", Align = spec.Align == '<' ? '<' : '>' };
        switch (spec.Type)
        {
            case 's':
                return text.Text(ValueWriter.ToText(value, budget), budget);
            case 'r':
                return text.Text(ValueWriter.Repr(value, budget), budget);
            case 'a':
                return text.Text(Ascii(ValueWriter.Repr(value, budget), budget), budget);
            case 'c':
                return value is string one && Values.Length(one) == 1 ? text.Text(one, budget)
                    : (text with { Type = 'c' }).Number(Whole(value, truncates: false), budget);
            case 'd' or 'i' or 'u':
                return Digits(spec with { Type = 'd' }, Whole(value, truncates: true), budget);
            case 'x' or 'X' or 'o':
                return Digits(spec, Whole(value, truncates: false), budget);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                return spec.Float(
                    Values.AsNumber(value) ?? throw new RenderError($"a number is needed for the format, not {Values.TypeName(value)}"),
                    budget);
            default:
                throw new RenderError($"unknown placeholder '%{spec.Type}'");
        }
    }

    /// <summary>The precision of a whole number is its least number of digits.</summary>
    private static string Digits(FormatSpec spec, BigInteger number, RenderBudget budget)
    {
        if (spec.Precision is not { } least)
        {
            return spec.Number(number, budget);
        }
        var head = (number.Sign < 0 || spec.Sign is not null ? 1 : 0) + (spec is { IsAlternate: true, Type: not 'd' } ? 2 : 0);
        var digits = (spec with { Fill = "0", Align = '=', Width = least + head, Precision = null }).Number(number, budget);
        var padded = spec with { Type = 's', Sign = null, Precision = null, Fill = spec.Align == '=' ? "0" : " " };
        return (padded with { Align = spec.Align == '<' ? '<' : '>' }).Text(digits, budget);
    }

    private static BigInteger Whole(object? value, bool truncates) => value switch
    {
        long number => number,
        BigInteger number => number,
        bool flag => flag ? 1 : 0,
        double number when truncates && double.IsFinite(number) => new BigInteger(Math.Truncate(number)),
        _ => throw new RenderError($"a{(truncates ? " " : " whole ")}number is needed for the format, not {Values.TypeName(value)}"),
    };
}
