using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Cluster.Common.Metrics;

/// <summary>Counters, gauges and histograms by name, rendered as Prometheus text (exposition format 0.0.4). Asking twice for
/// a name gives the same metric, so that every controller and queue can name its own series.</summary>
/// <remarks>The operator and the worker render with it. It is written by hand because prometheus-net refuses names with a colon, which the
/// format allows and vLLM's names have (<c>vllm:num_requests_running</c>).</remarks>
internal sealed class MetricsRegistry
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly ConcurrentDictionary<string, Metric> _metrics = new(StringComparer.Ordinal);

    public Counter Counter(string name, string help, params string[] labels) =>
        (Counter)_metrics.GetOrAdd(name, _ => new Counter(name, help, labels));

    public Gauge Gauge(string name, string help, params string[] labels) =>
        (Gauge)_metrics.GetOrAdd(name, _ => new Gauge(name, help, labels));

    /// <param name="buckets">Upper bounds in ascending order; +Inf is added.</param>
    public Histogram Histogram(string name, string help, IReadOnlyList<double> buckets, params string[] labels) =>
        (Histogram)_metrics.GetOrAdd(name, _ => new Histogram(name, help, buckets, labels));

    /// <summary>All series, metrics by name and series by label values, so that two renderings compare line by line.</summary>
    public string Render()
    {
        var text = new StringBuilder();
        foreach (var metric in _metrics.Values.OrderBy(metric => metric.Name, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP {metric.Name} {metric.Help}\n# TYPE {metric.Name} {metric.Type}\n");
            metric.Render(text);
        }

        return text.ToString();
    }
}
