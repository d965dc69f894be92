using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary>Time spans as kubectl shows them (apimachinery <c>duration.HumanDuration</c>): two significant units, coarser the longer
/// ago.</summary>
internal static class Age
{
    public const string Unknown = "<unknown>";

    public static string Since(JsonNode? value, DateTimeOffset now, params ReadOnlySpan<string> path) =>
        value.Time(path) is { } time ? Of(time, now) : Unknown;

    public static string Of(DateTimeOffset time, DateTimeOffset now)
    {
        var seconds = (long)(now - time).TotalSeconds;
        var (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
        return seconds switch
        {
            < -1 => "<invalid>",
            < 0 => "0s",
            < 120 => $"{seconds}s",
            < 600 => seconds % 60 == 0 ? $"{minutes}m" : $"{minutes}m{seconds % 60}s",
            < 3 * 3600 => $"{minutes}m",
            < 8 * 3600 => minutes % 60 == 0 ? $"{hours}h" : $"{hours}h{minutes % 60}m",
            < 48 * 3600 => $"{hours}h",
            < 8 * 86400 => hours % 24 == 0 ? $"{days}d" : $"{days}d{hours % 24}h",
            < 730L * 86400 => $"{days}d",
            < 2920L * 86400 => days % 365 == 0 ? $"{days / 365}y" : $"{days / 365}y{days % 365}d",
            _ => $"{days / 365}y",
        };
    }
}
