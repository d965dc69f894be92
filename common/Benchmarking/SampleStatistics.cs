namespace Cluster.Common.Benchmarking;

/// <summary>Figures of a set of measurements, computed as numpy does so that they compare with vLLM's: percentiles interpolate linearly
/// between the two nearest ranks, the deviation is that of the whole population. No measurements give zeros, as vLLM prints them.</summary>
internal sealed class SampleStatistics
{
    private readonly double[] _sorted;

    public SampleStatistics(IEnumerable<double> samples)
    {
        _sorted = [.. samples];
        Array.Sort(_sorted);
        Mean = _sorted.Length == 0 ? 0 : _sorted.Average();
        StandardDeviation = _sorted.Length == 0 ? 0 : Math.Sqrt(_sorted.Average(sample => (sample - Mean) * (sample - Mean)));
    }

    public int Count => _sorted.Length;

    public double Mean { get; }

    public double StandardDeviation { get; }

    public double Median => Percentile(50);

    /// <param name="percent">0 to 100.</param>
    public double Percentile(double percent)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(percent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        if (_sorted.Length == 0)
        {
            return 0;
        }

        var rank = percent / 100 * (_sorted.Length - 1);
        var below = (int)rank;
        var above = Math.Min(below + 1, _sorted.Length - 1);
        return _sorted[below] + ((rank - below) * (_sorted[above] - _sorted[below]));
    }
}
