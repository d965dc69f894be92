using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's <c>"%s is %d" % (name, age)</c>, also the filter <c>format</c>: <c>%s %r %d %i %f %x %%</c> with width, precision and
/// the flags <c>-</c> and <c>0</c>.</summary>
internal static class PercentFormat
{
    private const int MaxWidth = 1000;

    /// <summary>Digits of the largest double before its point.</summary>
    private const int MaxNumber = 310;

    public static string Apply(string format, object? value, RenderBudget budget)
    {
        IReadOnlyList<object?> values = value is object?[] tuple ? tuple : [value];
        budget.Work(format);
        budget.Growth(format.Length);
        StringBuilder result = new();
        var used = 0;
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                result.Append(format[i]);
                continue;
            }
            i++;
            var flags = i;
            while (i < format.Length && format[i] is '-' or '0' or '+' or ' ')
            {
                i++;
            }
            var flagText = format.AsSpan(flags, i - flags);
            var width = Digits(format, ref i) ?? 0;
            int? precision = null;
            if (i < format.Length && format[i] == '.')
            {
                i++;
                precision = Digits(format, ref i) ?? 0;
            }
            if (i >= format.Length)
            {
                throw new RenderError($"format '{Undefined.Shorten(format)}' ends inside of a placeholder");
            }
            if (format[i] == '%')
            {
                result.Append('%');
                continue;
            }
            if (used == values.Count)
            {
                throw new RenderError($"format '{Undefined.Shorten(format)}' needs more than {used} values");
            }
            budget.Step();
            budget.Characters(MaxNumber + 2L * width + (precision ?? 0));
            var text = One(format[i], values[used++], precision, budget);
            budget.Growth(2L * text.Length);
            result.Append(
                flagText.Contains('-') ? text.PadRight(width)
                : flagText.Contains('0') && text.StartsWith('-') ? "-" + text[1..].PadLeft(width - 1, '0')
                : text.PadLeft(width, flagText.Contains('0') ? '0' : ' '));
        }
        budget.Characters(result.Length);
        return used == values.Count
            ? result.ToString()
            : throw new RenderError($"format '{Undefined.Shorten(format)}' needs {used} values, not {values.Count}");
    }

    private static string One(char kind, object? value, int? precision, RenderBudget budget) => kind switch
    {
        's' => Cut(ValueWriter.ToText(value, budget), precision),
        'r' => Cut(ValueWriter.Repr(value, budget), precision),
        'd' or 'i' => Math.Truncate(Number(value)).ToString("0", CultureInfo.InvariantCulture),
        'f' => Number(value).ToString("F" + (precision ?? 6), CultureInfo.InvariantCulture),
        'x' => ((long)Number(value)).ToString("x", CultureInfo.InvariantCulture),
        _ => throw new RenderError($"unknown placeholder '%{kind}'"),
    };

    private static string Cut(string text, int? length) => length is { } most && most < text.Length ? text[..most] : text;

    private static double Number(object? value) =>
        Values.AsNumber(value) ?? throw new RenderError($"a number is needed for the format, not {Values.TypeName(value)}");

    private static int? Digits(string format, ref int at)
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
}
