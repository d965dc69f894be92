using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Tests.Gateway.Traffic;

public sealed class LatencyHistogramTests
{
    /// <summary>Half a bucket: a part of 16 of a power of two.</summary>
    private const double RelativeError = 1.0 / 32;

    [Theory]
    [InlineData(0.5)]
    [InlineData(0.9)]
    [InlineData(0.99)]
    [InlineData(1.0)]
    public void A_percentile_is_within_half_a_bucket_of_the_sorted_values(double quantile)
    {
        Random random = new(7);
        LatencyHistogram histogram = new();

        // From a tenth of a millisecond to minutes.
        var values = Enumerable.Range(0, 5000).Select(_ => Math.Exp((random.NextDouble() * 14) - 2)).ToArray();
        Array.ForEach(values, histogram.Add);
        Array.Sort(values);

        var truth = values[(int)Math.Ceiling(quantile * values.Length) - 1];
        var found = histogram.Quantile(quantile)!.Value;

        Assert.InRange(found, (truth * (1 - RelativeError)) - 0.07, (truth * (1 + RelativeError)) + 0.07);
    }

    [Fact]
    public void The_sum_of_two_is_what_one_had_counted()
    {
        LatencyHistogram one = new(), two = new(), both = new();
        for (var i = 1; i <= 200; i++)
        {
            (i % 3 == 0 ? one : two).Add(i * 1.7);
            both.Add(i * 1.7);
        }

        one.Add(two);

        Assert.Equal(both.Count, one.Count);
        Assert.All([0.01, 0.25, 0.5, 0.9, 0.999], q => Assert.Equal(both.Quantile(q), one.Quantile(q)));
    }

    [Theory]
    [InlineData(-5.0)]
    [InlineData(0.0)]
    [InlineData(1e12)]
    [InlineData(double.MaxValue)]
    public void What_no_bucket_is_for_is_counted_in_the_nearest(double milliseconds)
    {
        LatencyHistogram histogram = new();
        histogram.Add(milliseconds);

        Assert.InRange(histogram.Quantile(0.5)!.Value, 0, TimeSpan.FromMinutes(9).TotalMilliseconds);
    }

    [Fact]
    public void Nothing_has_no_percentile() => Assert.Null(new LatencyHistogram().Quantile(0.5));
}
