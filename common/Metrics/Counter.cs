using System.Text;

namespace Cluster.Common.Metrics;

/// <summary>A number that only grows.</summary>
internal sealed class Counter(string name, string help, IReadOnlyList<string> labelNames)
    : Metric<CounterSeries>(name, help, "counter", labelNames)
{
    protected override CounterSeries NewSeries() => new();

    protected override void RenderSeries(StringBuilder text, string labels, CounterSeries one) => Line(text, Name, labels, one.Value);
}

internal sealed class CounterSeries
{
    private long _value;

    public long Value => Interlocked.Read(ref _value);

    public void Increment() => Interlocked.Increment(ref _value);

    public void Add(long count) => Interlocked.Add(ref _value, count);

    /// <summary>For a total that somebody else counts.</summary>
    public void Set(long total) => Interlocked.Exchange(ref _value, total);
}
