using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>Reads Prometheus' text format (exposition 0.0.4) as strictly as a scraper: every series under its HELP and TYPE,
/// names and labels well formed, histograms cumulative and closed by +Inf.</summary>
internal sealed partial class PrometheusText
{
    private readonly List<(string Name, Dictionary<string, string> Labels, double Value)> _samples = [];
    private readonly Dictionary<string, string> _types = new(StringComparer.Ordinal);

    /// <exception cref="FormatException">Not that format; the message holds the line.</exception>
    public static PrometheusText Parse(string text)
    {
        var result = new PrometheusText();
        var current = "";
        foreach (var line in text.Split('\n'))
        {
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                current = line.Split(' ')[2];
                result._types.Add(current, line.Split(' ')[3]);
            }
            else if (line.Length > 0 && !line.StartsWith('#'))
            {
                result.Add(line, current);
            }
        }

        return text.EndsWith('\n') ? result : throw new FormatException("the last line has no line feed");
    }

    public string? TypeOf(string metric) => _types.GetValueOrDefault(metric);

    /// <summary>The one series that has exactly these labels.</summary>
    public double Value(string name, params (string Name, string Value)[] labels) =>
        _samples.Single(s => s.Name == name && s.Labels.Count == labels.Length && Has(s.Labels, labels)).Value;

    /// <summary>Over every series that has at least these labels.</summary>
    public double Sum(string name, params (string Name, string Value)[] labels) =>
        _samples.Where(s => s.Name == name && Has(s.Labels, labels)).Sum(s => s.Value);

    /// <exception cref="FormatException">Its buckets do not grow, or the last is not the count.</exception>
    public void RequireHistogram(string name)
    {
        foreach (var series in _samples.Where(s => s.Name == name + "_bucket")
            .GroupBy(s => string.Join(',', s.Labels.Where(l => l.Key != "le"))))
        {
            var buckets = series.Select(s => s.Value).ToList();
            var last = series.Last();
            var count = _samples.Single(s => s.Name == name + "_count" && string.Join(',', s.Labels) == series.Key).Value;
            if (!buckets.SequenceEqual(buckets.Order()) || last.Labels["le"] != "+Inf" || last.Value != count)
            {
                throw new FormatException($"histogram {name}{{{series.Key}}}: {string.Join(' ', buckets)}, count {count}");
            }
        }
    }

    private static bool Has(Dictionary<string, string> of, (string Name, string Value)[] labels) =>
        labels.All(l => of.GetValueOrDefault(l.Name) == l.Value);

    private void Add(string line, string current)
    {
        var match = Sample().Match(line);
        if (!match.Success)
        {
            throw new FormatException($"not a sample: {line}");
        }

        var name = match.Groups["name"].Value;
        var family = _types.GetValueOrDefault(current) == "histogram"
            ? [$"{current}_bucket", $"{current}_sum", $"{current}_count"]
            : new[] { current };
        if (!family.Contains(name))
        {
            throw new FormatException($"{name} stands under # TYPE {current}");
        }

        var labels = Label().Matches(match.Groups["labels"].Value).ToDictionary(l => l.Groups[1].Value, l => l.Groups[2].Value);
        var value = match.Groups["value"].Value;
        _samples.Add((name, labels, value == "+Inf" ? double.PositiveInfinity : double.Parse(value, CultureInfo.InvariantCulture)));
    }

    [GeneratedRegex(
        @"^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?<labels>[a-zA-Z_]\w*=""(\\.|[^""\\])*""(,[a-zA-Z_]\w*=""(\\.|[^""\\])*"")*)\})? (?<value>\+Inf|NaN|-?[0-9.eE+-]+)$")]
    private static partial Regex Sample();

    [GeneratedRegex(@"(\w+)=""((?:\\.|[^""\\])*)""")]
    private static partial Regex Label();
}
