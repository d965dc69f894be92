using System.Text;

namespace Cluster.Common.Metrics;

/// <summary>Observations counted in cumulative buckets.</summary>
internal sealed class Histogram(string name, string help, IReadOnlyList<double> buckets, IReadOnlyList<string> labelNames)
    : Metric<HistogramSeries>(name, help, "histogram", labelNames)
{
    /// <summary>1 µs to 1000 s, a decade each: for queue waits, which span that much.</summary>
    public static IReadOnlyList<double> FastToSlow { get; } = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000];

    /// <summary>5 ms to 60 s: for calls that go over the network.</summary>
    public static IReadOnlyList<double> Calls { get; } = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    protected override HistogramSeries NewSeries() => new(buckets);

    protected override void RenderSeries(StringBuilder text, string labels, HistogramSeries one)
    {
        var (counts, sum) = one.Read();
        var prefix = labels.Length == 0 ? "" : labels + ",";
        long total = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            total += counts[i];
            var bound = i < buckets.Count ? buckets[i] : double.PositiveInfinity;
            Line(text, Name + "_bucket", $"{prefix}le=\"{Number(bound)}\"", total);
        }

        Line(text, Name + "_sum", labels, sum);
        Line(text, Name + "_count", labels, total);
    }
}

internal sealed class HistogramSeries(IReadOnlyList<double> buckets)
{
    private readonly Lock _gate = new();
    private readonly long[] _counts = new long[buckets.Count + 1];
    private double _sum;

    public void Observe(double value)
    {
        var bucket = 0;
        while (bucket < buckets.Count && value > buckets[bucket])
        {
            bucket++;
        }

        lock (_gate)
        {
            _counts[bucket]++;
            _sum += value;
        }
    }

    public (long[] Counts, double Sum) Read()
    {
        lock (_gate)
        {
            return ((long[])_counts.Clone(), _sum);
        }
    }
}
