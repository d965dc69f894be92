using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Cluster.Operator.Controller;

/// <summary>A name, its help and its label names; the numbers are in its series.</summary>
internal abstract class Metric(string name, string help, string type)
{
    public string Name => name;

    public string Help => help;

    public string Type => type;

    public abstract void Render(StringBuilder text);
}

/// <summary>A metric whose series are told apart by label values.</summary>
internal abstract class Metric<TSeries>(string name, string help, string type, IReadOnlyList<string> labelNames)
    : Metric(name, help, type)
    where TSeries : class
{
    private readonly ConcurrentDictionary<string, TSeries> series = new(StringComparer.Ordinal);

    /// <summary>The series with these label values, made on first use.</summary>
    /// <exception cref="ArgumentException">The number of values is not the number of label names.</exception>
    public TSeries With(params ReadOnlySpan<string> labelValues)
    {
        if (labelValues.Length != labelNames.Count)
        {
            throw new ArgumentException($"metric '{Name}' has {labelNames.Count} labels, got {labelValues.Length} values", nameof(labelValues));
        }

        StringBuilder labels = new();
        for (int i = 0; i < labelValues.Length; i++)
        {
            labels.Append(i == 0 ? "" : ",").Append(labelNames[i]).Append("=\"").Append(Escape(labelValues[i])).Append('"');
        }

        return series.GetOrAdd(labels.ToString(), _ => NewSeries());
    }

    public sealed override void Render(StringBuilder text)
    {
        foreach ((string labels, TSeries one) in series.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            RenderSeries(text, labels, one);
        }
    }

    protected abstract TSeries NewSeries();

    protected abstract void RenderSeries(StringBuilder text, string labels, TSeries one);

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
        double.IsPositiveInfinity(value) ? "+Inf" : value.ToString("R", CultureInfo.InvariantCulture);

    private static string Escape(string value) =>
        value.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
