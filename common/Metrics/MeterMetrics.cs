using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Cluster.Common.Metrics;

/// <summary>Renders the instruments of one <see cref="Meter"/>: keeps a <see cref="MetricsRegistry"/> up to date with them. Their owner can
/// so use the .NET runtime's own instruments, which another exporter (OTLP) listens to as well. A metric appears with its first
/// measurement: one that does not exist yet is better than a zero that never was.</summary>
internal sealed class MeterMetrics : IDisposable
{
    private readonly MetricsRegistry _registry = new();
    private readonly MeterListener _listener = new();
    private readonly Func<string, string> _spell;

    /// <param name="meter">Its instruments are of <see cref="long"/> or <see cref="double"/>; histograms say their buckets.</param>
    /// <param name="spell">A metric's name from its instrument's.</param>
    public MeterMetrics(Meter meter, Func<string, string> spell)
    {
        _spell = spell;
        _listener.InstrumentPublished = (instrument, self) =>
        {
            if (ReferenceEquals(instrument.Meter, meter))
            {
                self.EnableMeasurementEvents(instrument, new Instrumented(instrument));
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => Record((Instrumented)state!, value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => Record((Instrumented)state!, value, tags));
        _listener.Start();
    }

    /// <summary>Reads the observed instruments and renders all.</summary>
    public string Render()
    {
        _listener.RecordObservableInstruments();
        return _registry.Render();
    }

    public void Dispose() => _listener.Dispose();

    private void Record(Instrumented one, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new StringBuilder();
        foreach (var (key, tag) in tags)
        {
            Metric.AppendLabel(labels, key, Convert.ToString(tag, CultureInfo.InvariantCulture)!);
        }

        var name = _spell(one.Instrument.Name);
        var help = one.Instrument.Description ?? "";
        var series = labels.ToString();
        switch (one.Instrument)
        {
            case Counter<long>:
                _registry.Counter(name, help).Labelled(series).Add((long)value);
                break;
            case ObservableCounter<long>:
                _registry.Counter(name, help).Labelled(series).Set((long)value);
                break;
            case { } when one.Buckets is { } buckets:
                _registry.Histogram(name, help, buckets).Labelled(series).Observe(value);
                break;
            default:
                _registry.Gauge(name, help).Labelled(series).Set(value);
                break;
        }
    }

    /// <summary>An instrument with the buckets it is to be rendered with, where it is a histogram.</summary>
    private sealed class Instrumented(Instrument instrument)
    {
        public Instrument Instrument => instrument;

        public IReadOnlyList<double>? Buckets { get; } = instrument switch
        {
            Histogram<double> histogram => histogram.Advice?.HistogramBucketBoundaries,
            Histogram<long> histogram => histogram.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound).ToArray(),
            _ => null,
        };
    }
}
