using System.Text;

namespace Cluster.Common.Metrics;

/// <summary>A number that goes up and down, set by its owner or read when rendered.</summary>
internal sealed class Gauge(string name, string help, IReadOnlyList<string> labelNames)
    : Metric<GaugeSeries>(name, help, "gauge", labelNames)
{
    protected override GaugeSeries NewSeries() => new();

    protected override void RenderSeries(StringBuilder text, string labels, GaugeSeries one) => Line(text, Name, labels, one.Value);
}

internal sealed class GaugeSeries
{
    private double _value;
    private Func<double>? _read;

    public double Value => Volatile.Read(ref _read) is { } source ? source() : Volatile.Read(ref _value);

    public void Set(double newValue) => Volatile.Write(ref _value, newValue);

    /// <summary>From now on the value is whatever <paramref name="source"/> says at the time of rendering.</summary>
    public void Read(Func<double> source) => Volatile.Write(ref _read, source);
}
