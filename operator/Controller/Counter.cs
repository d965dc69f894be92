using System.Text;

namespace Cluster.Operator.Controller;

/// <summary>A number that only grows.</summary>
internal sealed class Counter(string name, string help, IReadOnlyList<string> labelNames)
    : Metric<CounterSeries>(name, help, "counter", labelNames)
{
    protected override CounterSeries NewSeries() => new();

    protected override void RenderSeries(StringBuilder text, string labels, CounterSeries one) => Line(text, Name, labels, one.Value);
}

internal sealed class CounterSeries
{
    private long value;

    public long Value => Interlocked.Read(ref value);

    public void Increment() => Interlocked.Increment(ref value);
}
