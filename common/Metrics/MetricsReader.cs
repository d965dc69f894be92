using System.Globalization;
using System.Text;

namespace Cluster.Common.Metrics;

/// <summary>One line of a metrics page.</summary>
internal sealed record MetricSample(string Name, IReadOnlyDictionary<string, string> Labels, double Value);

/// <summary>Reads Prometheus' text format, as far as a reader of samples needs it: <c>name{label="value",…} value [timestamp]</c>. What
/// is no such line is passed over: pages are written by others.</summary>
internal static class MetricsReader
{
    private static readonly Dictionary<string, string> NoLabels = [];

    public static IEnumerable<MetricSample> Read(string page)
    {
        foreach (var line in page.Split('\n'))
        {
            if (line.Length > 0 && line[0] != '#' && ReadLine(line.AsSpan().Trim()) is { } sample)
            {
                yield return sample;
            }
        }
    }

    private static MetricSample? ReadLine(ReadOnlySpan<char> line)
    {
        var end = line.IndexOfAny('{', ' ', '\t');
        if (end <= 0)
        {
            return null;
        }

        var name = line[..end].ToString();
        var rest = line[end..];
        var labels = NoLabels;
        if (rest[0] == '{')
        {
            rest = rest[1..];
            labels = [];
            if (!ReadLabels(ref rest, labels))
            {
                return null;
            }
        }

        rest = rest.TrimStart();
        end = rest.IndexOfAny(' ', '\t');
        return ReadNumber(end < 0 ? rest : rest[..end]) is { } value ? new MetricSample(name, labels, value) : null;
    }

    /// <summary>Reads as far as the closing brace and takes it away.</summary>
    private static bool ReadLabels(ref ReadOnlySpan<char> rest, Dictionary<string, string> labels)
    {
        while (true)
        {
            rest = rest.TrimStart(" ,");
            if (rest is ['}', ..])
            {
                rest = rest[1..];
                return true;
            }

            var equals = rest.IndexOf('=');
            if (equals <= 0 || equals + 1 >= rest.Length || rest[equals + 1] != '"')
            {
                return false;
            }

            var name = rest[..equals].Trim().ToString();
            rest = rest[(equals + 2)..];
            if (ReadText(ref rest) is not { } text)
            {
                return false;
            }

            labels[name] = text;
        }
    }

    /// <summary>Reads as far as the closing quote and takes it away. A backslash stands before a quote, a backslash, or the n of a line
    /// break.</summary>
    private static string? ReadText(ref ReadOnlySpan<char> rest)
    {
        StringBuilder text = new();
        for (var i = 0; i < rest.Length; i++)
        {
            if (rest[i] == '"')
            {
                rest = rest[(i + 1)..];
                return text.ToString();
            }

            if (rest[i] == '\\' && i + 1 < rest.Length)
            {
                i++;
                text.Append(rest[i] == 'n' ? '\n' : rest[i]);
            }
            else
            {
                text.Append(rest[i]);
            }
        }

        return null;
    }

    private static double? ReadNumber(ReadOnlySpan<char> text) => text switch
    {
        "+Inf" or "Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        _ => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : null,
    };
}
