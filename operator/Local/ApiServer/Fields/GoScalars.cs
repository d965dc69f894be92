using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Manifests;
using k8s.Models;

namespace Cluster.Operator.Local.ApiServer.Fields;

/// <summary>Scalars that Kubernetes' types read themselves, and what they say of others.</summary>
internal static partial class GoScalars
{
    // As many digits and nine decimals more fit the library's arithmetic; nobody writes longer ones.
    private const int LongestCanonical = 18;

    private static readonly string[] Suffixes = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

    /// <summary>Whether a number has no fraction and fits.</summary>
    public static bool IsInteger(JsonNode value, int bits) => value is JsonValue number
        && number.GetValueKind() == JsonValueKind.Number
        && (number.TryGetValue<long>(out var l) ? bits == 64 || (l >= int.MinValue && l <= int.MaxValue) : number.TryGetValue<int>(out _));

    /// <summary>resource.ParseQuantity.</summary>
    public static string? QuantityProblem(JsonNode value)
    {
        var text = value.GetValueKind() switch
        {
            JsonValueKind.String => ((string)value!).Trim(),
            JsonValueKind.Number => value.ToJsonString(),
            _ => "?",
        };
        if (Quantity().Match(text) is not { Success: true } match)
        {
            return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
        }

        var (number, suffix) = (match.Groups[1].Value, match.Groups[2].Value);
        if (!Suffixes.Contains(suffix) && !Exponent().IsMatch(suffix))
        {
            return "unable to parse quantity's suffix";
        }

        return number.Count(c => c == '.') > 1 || !number.Any(char.IsAsciiDigit) ? "unable to parse numeric part of quantity" : null;
    }

    /// <summary>How a quantity is written again: <c>0.5</c> as <c>500m</c>, <c>1024Mi</c> as <c>1Gi</c>.</summary>
    /// <returns>Null where it is written so already, is no quantity, or is one that the library cannot write: negative or very
    /// large.</returns>
    public static string? CanonicalQuantity(JsonNode value)
    {
        if (value.GetValueKind() is not (JsonValueKind.String or JsonValueKind.Number) || QuantityProblem(value) is not null)
        {
            return null;
        }

        var text = value.GetValueKind() == JsonValueKind.String ? ((string)value!).Trim() : value.ToJsonString();
        if (text.Length > LongestCanonical || text.StartsWith('-') || !QuantityConverter.IsReadable(text))
        {
            return null;
        }

        var canonical = new ResourceQuantity(text).ToString();
        return canonical == value.Text() ? null : canonical;
    }

    /// <summary>Go's time.Parse in the layout RFC 3339.</summary>
    public static string? TimeProblem(string text)
    {
        const string Layout = "2006-01-02T15:04:05Z07:00";
        var at = 0;
        foreach (var part in (string[])["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"])
        {
            var piece = text.AsSpan(at, Math.Min(part.Length, text.Length - at));
            var isDigits = char.IsAsciiDigit(part[0]);
            if (piece.Length < part.Length || (isDigits ? piece.ContainsAnyExceptInRange('0', '9') : !piece.SequenceEqual(part)))
            {
                return $"parsing time {Quote(text)} as \"{Layout}\": cannot parse {Quote(text[at..])} as \"{part}\"";
            }

            at += part.Length;
        }

        if (at < text.Length && text[at] is '.' or ',')
        {
            for (at++; at < text.Length && char.IsAsciiDigit(text[at]); at++)
            {
            }
        }

        if (!Zone().IsMatch(text[at..]))
        {
            return $"parsing time {Quote(text)} as \"{Layout}\": cannot parse {Quote(text[at..])} as \"Z07:00\"";
        }

        int Number(int from) => int.Parse(text.AsSpan(from, 2), CultureInfo.InvariantCulture);
        var (year, month, day) = (int.Parse(text.AsSpan(0, 4), CultureInfo.InvariantCulture), Number(5), Number(8));
        var wrong = month is < 1 or > 12 ? "month"
            : day < 1 || day > DateTime.DaysInMonth(Math.Max(year, 1), month) ? "day"
            : Number(11) > 23 ? "hour"
            : Number(14) > 59 ? "minute"
            : Number(17) > 59 ? "second"
            : null;
        return wrong is null ? null : $"parsing time {Quote(text)}: {wrong} out of range";
    }

    /// <summary>Go's base64.StdEncoding, which leaves out line ends.</summary>
    public static string? Base64Problem(string text)
    {
        var digits = 0;
        var padding = 0;
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c is '\r' or '\n')
            {
                continue;
            }

            if (padding > 0 && (c != '=' || digits + padding == 4))
            {
                return Illegal(i);
            }

            if (c == '=')
            {
                if (digits is < 2 or 4)
                {
                    return Illegal(i);
                }

                padding++;
            }
            else if (char.IsAsciiLetterOrDigit(c) || c is '+' or '/')
            {
                start = digits % 4 == 0 ? i : start;
                digits = digits == 4 ? 1 : digits + 1;
            }
            else
            {
                return Illegal(i);
            }
        }

        return digits % 4 == 0 || digits + padding == 4 ? null : Illegal(padding > 0 ? text.Length : start);

        static string Illegal(int at) => string.Create(CultureInfo.InvariantCulture, $"illegal base64 data at input byte {at}");
    }

    private static string Quote(string text) => JsonText.ToText(JsonValue.Create(text));

    [GeneratedRegex("^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")]
    private static partial Regex Quantity();

    [GeneratedRegex("^[eE][-+]?[0-9]+$")]
    private static partial Regex Exponent();

    [GeneratedRegex("^(?:Z|[+-][0-9]{2}:[0-9]{2})$")]
    private static partial Regex Zone();
}
