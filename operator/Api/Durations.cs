using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Operator.Api;

/// <summary>Spans of time as the Gateway API writes them: <c>90s</c>, <c>10m</c>, <c>1h30m</c>.</summary>
internal static partial class Durations
{
    /// <summary>The schema's pattern.</summary>
    public const string Pattern = "^([0-9]{1,5}(h|m|s)){1,3}$";

    /// <summary>Longer ones are a mistake in a unit.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    /// <param name="text">Each unit once, the largest first.</param>
    public static bool TryParse([NotNullWhen(true)] string? text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text is null || Form().Match(text) is not { Success: true, Length: > 0 } match)
        {
            return false;
        }

        duration = TimeSpan.FromHours(Number("h")) + TimeSpan.FromMinutes(Number("m")) + TimeSpan.FromSeconds(Number("s"));
        return duration > TimeSpan.Zero && duration <= Longest;

        int Number(string unit) =>
            match.Groups[unit] is { Success: true } group ? int.Parse(group.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) : 0;
    }

    /// <summary>The shortest text of a whole number of seconds.</summary>
    public static string Text(TimeSpan duration)
    {
        var (hours, minutes, seconds) = ((int)duration.TotalHours, duration.Minutes, duration.Seconds);
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"{(hours > 0 ? $"{hours}h" : "")}{(minutes > 0 ? $"{minutes}m" : "")}{(seconds > 0 ? $"{seconds}s" : "")}");
        return text.Length == 0 ? "0s" : text;
    }

    [GeneratedRegex(@"^((?<h>[0-9]{1,5})h)?((?<m>[0-9]{1,5})m)?((?<s>[0-9]{1,5})s)?\z")]
    private static partial Regex Form();
}
