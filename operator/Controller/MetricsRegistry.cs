using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Cluster.Operator.Controller;

/// <summary>Counters, gauges and histograms by name, rendered as Prometheus text (exposition format 0.0.4). Asking twice for
/// a name gives the same metric, so that every controller and queue can name its own series.</summary>
internal sealed class MetricsRegistry
{
    private readonly ConcurrentDictionary<string, Metric> metrics = new(StringComparer.Ordinal);

    public Counter Counter(string name, string help, params string[] labels) =>
        (Counter)metrics.GetOrAdd(name, _ => new Counter(name, help, labels));

    public Gauge Gauge(string name, string help, params string[] labels) =>
        (Gauge)metrics.GetOrAdd(name, _ => new Gauge(name, help, labels));

    /// <param name="buckets">Upper bounds in ascending order; +Inf is added.</param>
    public Histogram Histogram(string name, string help, IReadOnlyList<double> buckets, params string[] labels) =>
        (Histogram)metrics.GetOrAdd(name, _ => new Histogram(name, help, buckets, labels));

    /// <summary>All series, metrics by name and series by label values, so that two renderings compare line by line.</summary>
    public string Render()
    {
        StringBuilder text = new();
        foreach (Metric metric in metrics.Values.OrderBy(m => m.Name, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP {metric.Name} {metric.Help}\n# TYPE {metric.Name} {metric.Type}\n");
            metric.Render(text);
        }

        return text.ToString();
    }
}
