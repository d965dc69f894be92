using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Cluster.Common.Metrics;

/// <summary>Renders the instruments of one <see cref="Meter"/>: keeps a <see cref="MetricsRegistry"/> up to date with them, so that their
/// owner can use the .NET runtime's own instruments, which another exporter (OTLP) listens to as well. A metric appears with its first
/// measurement: one that does not exist yet is better than a zero that never was.</summary>
internal sealed class MeterMetrics : IDisposable
{
    private readonly MetricsRegistry _registry = new();
    private readonly MeterListener _listener = new();

    /// <param name="meter">Its instruments are of <see cref="long"/> or <see cref="double"/>; histograms say their buckets.</param>
    /// <param name="spell">A metric's name from its instrument's.</param>
    public MeterMetrics(Meter meter, Func<string, string> spell)
    {
        _listener.InstrumentPublished = (instrument, self) =>
        {
            if (ReferenceEquals(instrument.Meter, meter))
            {
                var name = spell(instrument.Name);
                self.EnableMeasurementEvents(instrument, new Lazy<Action<string, double>>(() => Recorder(instrument, name)));
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => Record(value, tags, state));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => Record(value, tags, state));
        _listener.Start();
    }

    /// <summary>Reads the observed instruments and renders all.</summary>
    public string Render()
    {
        _listener.RecordObservableInstruments();
        return _registry.Render();
    }

    public void Dispose() => _listener.Dispose();

    /// <param name="state">The instrument's <see cref="Recorder"/>.</param>
    private static void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
    {
        var labels = new StringBuilder();
        foreach (var (key, tag) in tags)
        {
            Metric.AppendLabel(labels, key, Convert.ToString(tag, CultureInfo.InvariantCulture)!);
        }

        ((Lazy<Action<string, double>>)state!).Value(labels.ToString(), value);
    }

    /// <summary>Makes an instrument's metric, and what puts a measurement with its labels there.</summary>
    private Action<string, double> Recorder(Instrument instrument, string name)
    {
        var help = instrument.Description ?? "";
        switch (instrument)
        {
            case Counter<long>:
                var counter = _registry.Counter(name, help);
                return (labels, value) => counter.Labelled(labels).Add((long)value);
            case ObservableCounter<long>:
                var total = _registry.Counter(name, help);
                return (labels, value) => total.Labelled(labels).Set((long)value);
            case Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds }:
                return Observer(bounds);
            case Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds }:
                return Observer([.. bounds.Select(bound => (double)bound)]);
            default:
                var gauge = _registry.Gauge(name, help);
                return (labels, value) => gauge.Labelled(labels).Set(value);
        }

        Action<string, double> Observer(IReadOnlyList<double> buckets)
        {
            var histogram = _registry.Histogram(name, help, buckets);
            return (labels, value) => histogram.Labelled(labels).Observe(value);
        }
    }
}
