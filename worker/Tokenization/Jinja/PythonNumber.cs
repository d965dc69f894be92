using System.Globalization;
using System.Numerics;
using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Digits of numbers as Python's formats write them: rounded to even by the exact value.</summary>
internal static class PythonNumber
{
    /// <summary>A number that is not negative, in the types <c>e f g %</c> and none; null when the type is another.</summary>
    public static string? Float(double number, char? type, int? precision, bool alternate)
    {
        if (!double.IsFinite(number))
        {
            var text = PythonFloat.Format(number);
            return type is null or 'e' or 'f' or 'g' or 'n' ? text : type is 'E' or 'F' or 'G' ? text.ToUpperInvariant()
                : type == '%' ? text + "%" : null;
        }
        switch (type)
        {
            case 'f' or 'F':
                return Fixed(number, precision ?? 6, alternate);
            case 'e':
                return Scientific(number, precision ?? 6, alternate);
            case 'E':
                return Scientific(number, precision ?? 6, alternate).ToUpperInvariant();
            case 'g' or 'n':
                return General(number, precision ?? 6, alternate, isFloat: false);
            case 'G':
                return General(number, precision ?? 6, alternate, isFloat: false).ToUpperInvariant();
            case '%':
                return Fixed(number * 100, precision ?? 6, alternate) + "%";
            case null:
                return precision is { } digits ? General(number, digits, alternate, isFloat: true) : PythonFloat.Format(number);
            default:
                return null;
        }
    }

    public static string Octal(BigInteger number)
    {
        StringBuilder digits = new();
        foreach (var triple in number.ToString("b", CultureInfo.InvariantCulture).TrimStart('0').Reverse().Chunk(3).Reverse())
        {
            digits.Append((char)('0' + triple.Select((bit, i) => (bit - '0') << i).Sum()));
        }
        return digits.Length == 0 ? "0" : digits.ToString();
    }

    /// <param name="width">Zeros are added up to this length.</param>
    public static string Group(string digits, char separator, int size, int width)
    {
        var length = digits.Length;
        while (length + (length - 1) / size < width)
        {
            length++;
        }
        digits = digits.PadLeft(length, '0');
        StringBuilder result = new();
        for (var i = 0; i < length; i++)
        {
            _ = i > 0 && (length - i) % size == 0 ? result.Append(separator).Append(digits[i]) : result.Append(digits[i]);
        }
        return result.ToString();
    }

    private static string Fixed(double number, int decimals, bool alternate)
    {
        var digits = Scaled(number, decimals).ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        return decimals == 0 ? digits + (alternate ? "." : "") : $"{digits[..^decimals]}.{digits[^decimals..]}";
    }

    private static string Scientific(double number, int decimals, bool alternate)
    {
        var (digits, exponent) = Digits(number, decimals + 1);
        var point = decimals > 0 || alternate ? "." : "";
        return $"{digits[0]}{point}{digits[1..]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    /// <param name="isFloat">Whether a whole number has to show that it is a float.</param>
    private static string General(double number, int precision, bool alternate, bool isFloat)
    {
        precision = Math.Max(precision, 1);
        var (digits, exponent) = Digits(number, precision);
        var text = exponent >= -4 && exponent < precision - (isFloat ? 1 : 0)
            ? Fixed(number, precision - 1 - exponent, alternate)
            : Scientific(number, precision - 1, alternate);
        if (alternate || !text.Contains('.', StringComparison.Ordinal))
        {
            return text;
        }
        var end = text.IndexOf('e', StringComparison.Ordinal) is >= 0 and var at ? at : text.Length;
        var mantissa = text[..end].TrimEnd('0');
        return (mantissa.EndsWith('.') ? mantissa + (isFloat && end == text.Length ? "0" : "") : mantissa).TrimEnd('.') + text[end..];
    }

    /// <summary>The first significant digits, rounded, and the power of ten of the first.</summary>
    private static (string Digits, int Exponent) Digits(double number, int count)
    {
        if (number == 0)
        {
            return (new string('0', count), 0);
        }
        var exponent = (int)Math.Floor(Math.Log10(number));
        while (true)
        {
            var digits = Scaled(number, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
            if (digits.Length == count)
            {
                return (digits, exponent);
            }
            exponent += digits.Length > count ? 1 : -1;
        }
    }

    /// <summary>The number times a power of ten, rounded to even.</summary>
    private static BigInteger Scaled(double number, int power)
    {
        var bits = BitConverter.DoubleToInt64Bits(number);
        var raised = (int)((bits >> 52) & 0x7FF);
        BigInteger top = raised == 0 ? bits & 0xFFFFFFFFFFFFF : (bits & 0xFFFFFFFFFFFFF) | (1L << 52);
        var bottom = BigInteger.One;
        var shift = Math.Max(raised, 1) - 1075;
        (top, bottom) = shift >= 0 ? (top << shift, bottom) : (top, bottom << -shift);
        (top, bottom) = power >= 0 ? (top * BigInteger.Pow(10, power), bottom) : (top, bottom * BigInteger.Pow(10, -power));
        var whole = BigInteger.DivRem(top, bottom, out var rest);
        var half = (rest * 2).CompareTo(bottom);
        return half > 0 || (half == 0 && !whole.IsEven) ? whole + 1 : whole;
    }
}
