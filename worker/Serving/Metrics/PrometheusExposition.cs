using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Cluster.Worker.Serving.Metrics;

/// <summary>Renders one <see cref="Meter"/>'s instruments in Prometheus' text format 0.0.4. Instruments are the .NET runtime's own, so that another exporter can
/// listen to the same meter. Names: <c>vllm.num_requests_running</c> becomes <c>vllm:num_requests_running</c>, as vLLM spells it.</summary>
internal sealed class PrometheusExposition : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MeterListener listener = new();
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, Family> families = new(StringComparer.Ordinal);

    public PrometheusExposition(Meter meter)
    {
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (ReferenceEquals(instrument.Meter, meter))
            {
                lock (gate)
                {
                    families[instrument.Name] = new Family(instrument);
                }

                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.Start();
    }

    /// <summary>All families in name order.</summary>
    public string Render()
    {
        var text = new StringBuilder();
        listener.RecordObservableInstruments();
        lock (gate)
        {
            foreach (var family in families.Values)
            {
                family.Write(text);
            }
        }

        return text.ToString();
    }

    public void Dispose() => listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = Labels(tags);
        lock (gate)
        {
            families[instrument.Name].Record(labels, value);
        }
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = new StringBuilder();
        foreach (var (key, value) in tags)
        {
            var escaped = Convert.ToString(value, CultureInfo.InvariantCulture)!.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
            text.Append(text.Length == 0 ? "" : ",").Append(key).Append("=\"").Append(escaped).Append('"');
        }

        return text.ToString();
    }

    private static string Number(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>One metric name with its label sets.</summary>
    private sealed class Family(Instrument instrument)
    {
        private readonly string name = instrument.Name.Replace("vllm.", "vllm:", StringComparison.Ordinal);
        private readonly IReadOnlyList<double>? bounds = (instrument as Histogram<double>)?.Advice?.HistogramBucketBoundaries ?? (instrument as Histogram<long>)?.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound).ToArray();
        private readonly bool isCounter = instrument is Counter<long>;
        private readonly bool isTotal = instrument is Counter<long> or ObservableCounter<long>;
        private readonly SortedDictionary<string, Series> series = new(StringComparer.Ordinal);

        public void Record(string labels, double value)
        {
            if (!series.TryGetValue(labels, out var one))
            {
                series[labels] = one = new Series(bounds?.Count ?? 0);
            }

            one.Count++;
            one.Sum = bounds is not null || isCounter ? one.Sum + value : value;
            for (var i = (bounds?.Count ?? 0) - 1; i >= 0 && value <= bounds![i]; i--)
            {
                one.Buckets[i]++;
            }
        }

        public void Write(StringBuilder text)
        {
            if (series.Count == 0)
            {
                return;
            }

            var type = bounds is not null ? "histogram" : isTotal ? "counter" : "gauge";
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {instrument.Description}\n# TYPE {name} {type}\n");
            foreach (var (labels, one) in series)
            {
                if (bounds is null)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}{{{labels}}} {Number(one.Sum)}\n");
                    continue;
                }

                var prefix = labels.Length == 0 ? "" : labels + ",";
                for (var i = 0; i < bounds.Count; i++)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{prefix}le=\"{Number(bounds[i])}\"}} {one.Buckets[i]}\n");
                }

                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{prefix}le=\"+Inf\"}} {one.Count}\n{name}_sum{{{labels}}} {Number(one.Sum)}\n{name}_count{{{labels}}} {one.Count}\n");
            }
        }
    }

    /// <summary>Sum is the value itself for gauges and observed counters. Buckets are cumulative, as the format wants them.</summary>
    private sealed class Series(int buckets)
    {
        public long[] Buckets { get; } = new long[buckets];

        public long Count { get; set; }

        public double Sum { get; set; }
    }
}
