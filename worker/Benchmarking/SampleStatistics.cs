namespace Cluster.Worker.Benchmarking;

/// <summary>Figures of a set of measurements, computed as numpy does so that they compare with vLLM's: percentiles interpolate linearly between the two
/// nearest ranks, the deviation is that of the whole population. No measurements give zeros, as vLLM prints them.</summary>
internal sealed class SampleStatistics
{
    private readonly double[] sorted;

    public SampleStatistics(IEnumerable<double> samples)
    {
        sorted = [.. samples];
        Array.Sort(sorted);
        Mean = sorted.Length == 0 ? 0 : sorted.Average();
        StandardDeviation = sorted.Length == 0 ? 0 : Math.Sqrt(sorted.Average(sample => (sample - Mean) * (sample - Mean)));
    }

    public int Count => sorted.Length;

    public double Mean { get; }

    public double StandardDeviation { get; }

    public double Median => Percentile(50);

    /// <param name="percent">0 to 100.</param>
    public double Percentile(double percent)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(percent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        if (sorted.Length == 0)
        {
            return 0;
        }

        var rank = percent / 100 * (sorted.Length - 1);
        var below = (int)rank;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((rank - below) * (sorted[above] - sorted[below]));
    }
}
