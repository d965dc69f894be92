using System.Globalization;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>Python's <c>repr</c> of a float: the shortest digits that read back, scientific from 1e16 and below 1e-4.</summary>
internal static class PythonFloat
{
    public static string Format(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        if (value == 0 || Math.Abs(value) is >= 1e-4 and < 1e16)
        {
            // .NET turns scientific one power of ten earlier than Python; decimal holds every such number exactly.
            text = text.Contains('E', StringComparison.Ordinal)
                ? decimal.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture)
                : text;
            return text.Contains('.', StringComparison.Ordinal) ? text : text + ".0";
        }
        var exponentAt = text.IndexOf('E', StringComparison.Ordinal);
        if (exponentAt < 0)
        {
            // The other way round for a whole number of 17 digits.
            string sign = value < 0 ? "-" : "", digits = text.TrimStart('-');
            return $"{sign}{$"{digits[0]}.{digits[1..].TrimEnd('0')}".TrimEnd('.')}e+{digits.Length - 1}";
        }
        var exponent = text[(exponentAt + 2)..].TrimStart('0').PadLeft(2, '0');
        return $"{text[..exponentAt]}e{text[exponentAt + 1]}{exponent}";
    }
}
