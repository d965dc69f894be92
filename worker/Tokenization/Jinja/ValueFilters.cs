using System.Globalization;
using System.Numerics;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Filters on single values.</summary>
internal static class ValueFilters
{
    public static void AddTo(Dictionary<string, Filter> filters)
    {
        filters["default"] = filters["d"] = (value, a, _) =>
            value is Undefined || (a.Flag(1, "boolean") && !Values.IsTrue(value)) ? a.Get(0, "default_value", "") : value;
        filters["int"] = (value, a, _) => value is string text && a.Integer(1, "base", 10) is not 10 and var numberBase
            ? InBase(text, numberBase) ?? a.Get(0, "default", 0L)
            : ToInteger(value, a.Get(0, "default", 0L));
        filters["float"] = (value, a, _) => ToFloat(value) ?? a.Get(0, "default", 0.0);
        filters["abs"] = (value, _, _) => Values.Defined(value) switch
        {
            long number and > long.MinValue => (object)Math.Abs(number),
            BigInteger number => BigInteger.Abs(number),
            double number => Math.Abs(number),
            _ => throw new RenderError($"'abs' needs a number, not {Values.TypeName(value)}"),
        };
        filters["round"] = Round;
        filters["attr"] = (value, a, evaluator) => evaluator.GetAttribute(value, a.Text(0, "name"));
    }

    private static object? InBase(string text, long numberBase)
    {
        var digits = text.Trim().ToLowerInvariant().Replace("_", "", StringComparison.Ordinal);
        var negative = digits.StartsWith('-');
        digits = digits.TrimStart('-', '+');
        var prefix = digits.Length > 1 && digits[0] == '0' ? digits[1] switch { 'x' => 16L, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        digits = prefix > 0 && (numberBase == prefix || numberBase == 0) ? digits[2..] : digits;
        numberBase = numberBase != 0 ? numberBase : prefix > 0 ? prefix : 10;
        if (numberBase is < 2 or > 36 || digits.Length is 0 or > 64)
        {
            return null;
        }
        BigInteger number = 0;
        foreach (var c in digits)
        {
            var digit = char.IsAsciiDigit(c) ? c - '0' : c is >= 'a' and <= 'z' ? c - 'a' + 10 : int.MaxValue;
            if (digit >= numberBase)
            {
                return null;
            }
            number = number * numberBase + digit;
        }
        number = negative ? -number : number;
        return number >= long.MinValue && number <= long.MaxValue ? (long)number : number;
    }

    private static object? ToInteger(object? value, object? fallback) => value switch
    {
        long or BigInteger => value,
        bool flag => flag ? 1L : 0L,
        _ => ToFloat(value) is { } number && Math.Abs(number) < 9e18 ? (long)number : fallback,
    };

    private static double? ToFloat(object? value) => value switch
    {
        string text => double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null,
        _ => Values.AsNumber(value),
    };

    private static object? Round(object? value, Arguments arguments, ExpressionEvaluator evaluator)
    {
        var number = Values.AsNumber(Values.Defined(value))
            ?? throw new RenderError($"'round' needs a number, not {Values.TypeName(value)}");
        var digits = (int)Math.Clamp(arguments.Integer(0, "precision", 0), 0, 15);
        var scale = Math.Pow(10, digits);
        return arguments.Text(1, "method", "common") switch
        {
            "common" => Math.Round(number, digits, MidpointRounding.ToEven),
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            var other => throw new RenderError($"'method' is '{other}', expected 'common', 'ceil' or 'floor'"),
        };
    }
}
