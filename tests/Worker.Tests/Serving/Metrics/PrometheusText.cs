using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Worker.Tests.Serving.Metrics;

/// <summary>A strict reader of Prometheus' text format 0.0.4, written from its specification.</summary>
internal sealed partial class PrometheusText
{
    private readonly Dictionary<string, string> _types = new(StringComparer.Ordinal);
    private readonly Dictionary<string, double> _samples = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, string> Types => _types;

    /// <summary>Value by <c>name{labels}</c>.</summary>
    public IReadOnlyDictionary<string, double> Samples => _samples;

    public static PrometheusText Parse(string text)
    {
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        var page = new PrometheusText();
        string? family = null;
        foreach (var line in text[..^1].Split('\n'))
        {
            if (Type().Match(line) is { Success: true } type)
            {
                family = type.Groups[1].Value;
                Assert.True(page._types.TryAdd(family, type.Groups[2].Value), $"family {family} twice");
            }
            else if (!Help().IsMatch(line))
            {
                var sample = Sample().Match(line);
                Assert.True(sample.Success, $"not a sample: {line}");
                var name = sample.Groups[1].Value;
                Assert.True(
                    family is not null
                        && (name == family
                            || page._types[family] == "histogram" && name.StartsWith(family + "_", StringComparison.Ordinal)),
                            $"{name} outside its family");
                var value = sample.Groups[3].Value;
                Assert.True(
                    page._samples.TryAdd(
                        name + sample.Groups[2].Value,
                        value == "+Inf" ? double.PositiveInfinity : double.Parse(value, CultureInfo.InvariantCulture)),
                        $"sample twice: {line}");
            }
        }

        return page;
    }

    [GeneratedRegex("^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$")]
    private static partial Regex Type();

    [GeneratedRegex("^# HELP [a-zA-Z_:][a-zA-Z0-9_:]* .+$")]
    private static partial Regex Help();

    [GeneratedRegex("^([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{(?:[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\\\n]|\\\\[\\\\\"n])*\",?)*\\})? (\\S+)$")]
    private static partial Regex Sample();
}
