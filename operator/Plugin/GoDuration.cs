using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Operator.Plugin;

/// <summary>Durations as kubectl takes them: <c>5s</c>, <c>2m</c>, <c>1h30m</c>.</summary>
internal static partial class GoDuration
{
    /// <returns>Null for what is none, or is not above 0.</returns>
    public static TimeSpan? Parse(string text)
    {
        if (!Form().IsMatch(text))
        {
            return null;
        }

        var seconds = 0.0;
        foreach (Match part in Part().Matches(text))
        {
            seconds += double.Parse(part.Groups[1].Value, CultureInfo.InvariantCulture) * part.Groups[2].Value switch
            {
                "ms" => 0.001,
                "s" => 1,
                "m" => 60,
                _ => 3600,
            };
        }

        return seconds is > 0 and < 1e9 ? TimeSpan.FromSeconds(seconds) : null;
    }

    [GeneratedRegex(@"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$")]
    private static partial Regex Form();

    [GeneratedRegex(@"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")]
    private static partial Regex Part();
}
