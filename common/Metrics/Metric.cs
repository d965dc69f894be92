using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Cluster.Common.Metrics;

/// <summary>A name, its help and its label names; the numbers are in its series.</summary>
internal abstract class Metric(string name, string help, string type)
{
    public string Name => name;

    public string Help => help;

    public string Type => type;

    public abstract void Render(StringBuilder text);

    /// <summary>Appends one label to others, as it stands between the braces of a sample.</summary>
    public static void AppendLabel(StringBuilder labels, string name, string value)
    {
        var escaped = value.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
        labels.Append(labels.Length == 0 ? "" : ",").Append(name).Append("=\"").Append(escaped).Append('"');
    }

    protected static void Line(StringBuilder text, string name, string labels, double value)
    {
        text.Append(name);
        if (labels.Length > 0)
        {
            text.Append('{').Append(labels).Append('}');
        }

        text.Append(' ').Append(Number(value)).Append('\n');
    }

    protected static string Number(double value) =>
        double.IsPositiveInfinity(value)
            ? "+Inf"
            : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);
}

/// <summary>A metric whose series are told apart by label values.</summary>
internal abstract class Metric<TSeries>(string name, string help, string type, IReadOnlyList<string> labelNames)
    : Metric(name, help, type)
    where TSeries : class
{
    private readonly ConcurrentDictionary<string, TSeries> _series = new(StringComparer.Ordinal);

    /// <summary>The series with these label values, made on first use.</summary>
    /// <exception cref="ArgumentException">The number of values is not the number of label names.</exception>
    public TSeries With(params ReadOnlySpan<string> labelValues)
    {
        if (labelValues.Length != labelNames.Count)
        {
            throw new ArgumentException(
                $"metric '{Name}' has {labelNames.Count} labels, got {labelValues.Length} values", nameof(labelValues));
        }

        var labels = new StringBuilder();
        for (var i = 0; i < labelValues.Length; i++)
        {
            AppendLabel(labels, labelNames[i], labelValues[i]);
        }

        return Labelled(labels.ToString());
    }

    /// <summary>The series with labels that <see cref="Metric.AppendLabel"/> has put together, made on first use.</summary>
    public TSeries Labelled(string labels) => _series.GetOrAdd(labels, static (_, metric) => metric.NewSeries(), this);

    public sealed override void Render(StringBuilder text)
    {
        foreach (var (labels, one) in _series.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            RenderSeries(text, labels, one);
        }
    }

    protected abstract TSeries NewSeries();

    protected abstract void RenderSeries(StringBuilder text, string labels, TSeries one);
}
