using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Cluster.Operator.Yaml;

/// <summary>What a plain (unquoted) YAML scalar means to Kubernetes, which reads YAML 1.1: <c>yes</c>, <c>no</c>, <c>on</c>, <c>off</c>,
/// <c>y</c> and <c>n</c> are booleans, <c>0755</c> is octal, <c>1_000</c> is a number. Dates stay strings.</summary>
/// <remarks>Same results as sigs.k8s.io/yaml (go-yaml v2), so that a manifest means here what <c>kubectl</c> makes of it.</remarks>
internal static partial class YamlScalar
{
    public static bool IsNull(string text) => text is "" or "~" or "null" or "Null" or "NULL";

    public static bool? AsBoolean(string text) => text switch
    {
        "y" or "Y" or "yes" or "Yes" or "YES" or "true" or "True" or "TRUE" or "on" or "On" or "ON" => true,
        "n" or "N" or "no" or "No" or "NO" or "false" or "False" or "FALSE" or "off" or "Off" or "OFF" => false,
        _ => null,
    };

    /// <summary>A number node, or null when the text is not one.</summary>
    /// <exception cref="FormatException">Infinity or NaN, which JSON cannot hold.</exception>
    public static JsonValue? AsNumber(string text)
    {
        if (NotFinite().IsMatch(text))
        {
            throw new FormatException($"'{text}' has no JSON form; quote it if a string is meant");
        }

        if (text.Length == 0 || !(char.IsAsciiDigit(text[0]) || text[0] is '+' or '-' or '.'))
        {
            return null;
        }

        var digits = text.Replace("_", "", StringComparison.Ordinal);
        if (AsInteger(digits) is { } integer)
        {
            return integer;
        }

        // "08" is no octal number but a float to go-yaml, and so 8 in JSON.
        return Decimal().IsMatch(digits)
            && double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            && double.IsFinite(value)
            ? JsonValue.Create(value)
            : null;
    }

    /// <summary>True when the text, written without quotes, would be read back as something other than this string.</summary>
    public static bool NeedsQuotes(string text)
        => IsNull(text) || text == "<<" || AsBoolean(text) is not null || NotFinite().IsMatch(text) || AsNumber(text) is not null
           // YAML 1.1 parsers elsewhere read 12:30:45 as sexagesimal and 2026-01-31 as a date.
           || (char.IsAsciiDigit(text[0]) && (text.Contains(':', StringComparison.Ordinal) || DateLike().IsMatch(text)));

    private static JsonValue? AsInteger(string digits)
    {
        var negative = digits.StartsWith('-');
        var magnitudeText = negative || digits.StartsWith('+') ? digits[1..] : digits;
        (var radix, var prefix) = magnitudeText switch
        {
            ['0', 'x' or 'X', _, ..] => (16, 2),
            ['0', 'b' or 'B', _, ..] => (2, 2),
            ['0', 'o' or 'O', _, ..] => (8, 2),
            ['0', _, ..] => (8, 1),
            _ => (10, 0),
        };
        return TryMagnitude(magnitudeText.AsSpan(prefix), radix, out var magnitude) switch
        {
            false => null,
            true when negative => magnitude <= (ulong)long.MaxValue + 1 ? JsonValue.Create(unchecked(-(long)magnitude)) : null,
            true => magnitude <= long.MaxValue ? JsonValue.Create((long)magnitude) : JsonValue.Create(magnitude),
        };
    }

    private static bool TryMagnitude(ReadOnlySpan<char> digits, int radix, out ulong magnitude)
    {
        magnitude = 0;
        foreach (var digit in digits)
        {
            var value = digit switch
            {
                >= '0' and <= '9' => digit - '0',
                >= 'a' and <= 'f' => digit - 'a' + 10,
                >= 'A' and <= 'F' => digit - 'A' + 10,
                _ => radix,
            };
            if (value >= radix || magnitude > (ulong.MaxValue - (ulong)value) / (ulong)radix)
            {
                return false;
            }

            magnitude = (magnitude * (ulong)radix) + (ulong)value;
        }

        return digits.Length > 0;
    }

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z")]
    private static partial Regex Decimal();

    [GeneratedRegex(@"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\z")]
    private static partial Regex NotFinite();

    [GeneratedRegex(@"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")]
    private static partial Regex DateLike();
}
