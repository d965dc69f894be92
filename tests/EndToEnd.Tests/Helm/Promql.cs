using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>Finds the metric names of a PromQL expression, as far as our dashboards and alerts use the language.</summary>
internal static partial class Promql
{
    private static readonly HashSet<string> Words = new(StringComparer.Ordinal)
    {
        "and",
        "or",
        "unless",
        "bool",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "offset"
    };

    /// <summary>Names in the order of their appearance, with _bucket, _sum and _count where queried.</summary>
    public static IEnumerable<string> MetricNames(string expression)
    {
        var bare = Grouping().Replace(Selectors().Replace(Strings().Replace(LabelValues().Replace(expression, "$1"), ""), ""), "");
        return Identifier().Matches(bare).Select(match => match.Value).Where(name => !Words.Contains(name));
    }

    /// <summary>Labels that its selectors and groupings name.</summary>
    public static IEnumerable<string> Labels(string expression) =>
        Matcher().Matches(expression).Select(match => match.Groups[1].Value)
            .Concat(
                Grouping().Matches(expression).SelectMany(match => Identifier().Matches(match.Groups[1].Value))
                    .Select(match => match.Value));

    [GeneratedRegex(@"label_values\(([^,]*(?:\{[^}]*\})?[^,]*), \w+\)")]
    private static partial Regex LabelValues();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Strings();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]")]
    private static partial Regex Selectors();

    [GeneratedRegex(@"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"(\w+)\s*(?:=~|!~|!=|=)\s*""")]
    private static partial Regex Matcher();

    /// <summary>Not a number's exponent or duration, and not the name of a function.</summary>
    [GeneratedRegex(@"(?<![\w.:])(?>[a-zA-Z_:][\w:]*)(?!\s*\()")]
    private static partial Regex Identifier();
}
