using Cluster.Common.Benchmarking;

namespace Cluster.Worker.Tests.Benchmarking;

public sealed class SampleStatisticsTests
{
    /// <summary>Expected values are numpy's (<c>np.percentile</c> with its default method).</summary>
    [Theory]
    [InlineData(new[] { 15.0, 20, 35, 40, 50 }, 40, 29)]
    [InlineData(new[] { 4.0, 1, 3, 2 }, 50, 2.5)]
    [InlineData(new[] { 4.0, 1, 3, 2 }, 99, 3.97)]
    [InlineData(new[] { 4.0, 1, 3, 2 }, 100, 4)]
    [InlineData(new[] { 4.0, 1, 3, 2 }, 0, 1)]
    [InlineData(new[] { 7.0 }, 99, 7)]
    [InlineData(new double[0], 99, 0)]
    public void Percentiles_are_those_of_numpy(double[] samples, double percent, double expected) =>
        Assert.Equal(expected, new SampleStatistics(samples).Percentile(percent), 1e-12);

    [Fact]
    public void The_deviation_is_that_of_the_population()
    {
        var statistics = new SampleStatistics([2, 4, 4, 4, 5, 5, 7, 9]);

        Assert.Equal(5, statistics.Mean);
        Assert.Equal(2, statistics.StandardDeviation, 1e-12);
        Assert.Equal(4.5, statistics.Median);
    }

    [Fact]
    public void At_a_whole_rank_a_percentile_is_the_sample_of_that_rank()
    {
        var random = new Random(7);
        var samples = Enumerable.Range(0, 101).Select(_ => random.NextDouble()).ToArray();
        var statistics = new SampleStatistics(samples);
        var sorted = samples.Order().ToArray();

        Assert.All(Enumerable.Range(0, 101), rank => Assert.Equal(sorted[rank], statistics.Percentile(rank), 1e-12));
    }
}
