using Cluster.Common.Benchmarking;

namespace Cluster.Worker.Tests.Benchmarking;

public sealed class ArrivalProcessTests
{
    private const int Count = 40_000;

    /// <summary>A gamma distribution of shape k has a squared coefficient of variation of 1/k.</summary>
    [Theory]
    [InlineData(0.25)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(50)]
    public void Gaps_have_the_mean_and_the_spread_asked_for(double burstiness)
    {
        const double Rate = 8;
        var gaps = Gaps(ArrivalProcess.Generate(Count, Rate, burstiness, new Random(1)));

        var mean = gaps.Average();
        var variance = gaps.Average(gap => (gap - mean) * (gap - mean));
        Assert.Equal(1 / Rate, mean, 0.05 / Rate);
        Assert.Equal(1 / burstiness, variance / (mean * mean), 0.08 / burstiness);
        Assert.All(gaps, gap => Assert.True(gap >= 0));
    }

    [Fact]
    public void With_burstiness_one_gaps_are_exponential()
    {
        var gaps = Gaps(ArrivalProcess.Generate(Count, 1, 1, new Random(2))).Order().ToArray();

        // Kolmogorov and Smirnov's distance from the exponential distribution; 1.63/√n is exceeded once in a hundred seeds.
        var distance = gaps.Select((gap, rank) => Math.Abs(1 - Math.Exp(-gap) - (rank / (double)gaps.Length))).Max();
        Assert.InRange(distance, 0, 1.63 / Math.Sqrt(gaps.Length));
    }

    [Fact]
    public void An_infinite_rate_sends_everything_at_once() =>
        Assert.Equal(new double[5], ArrivalProcess.Generate(5, double.PositiveInfinity, 1, new Random(1)));

    [Fact]
    public void The_same_seed_gives_the_same_arrivals() =>
        Assert.Equal(ArrivalProcess.Generate(50, 3, 0.5, new Random(9)), ArrivalProcess.Generate(50, 3, 0.5, new Random(9)));

    private static double[] Gaps(double[] arrivals)
    {
        Assert.Equal(0, arrivals[0]);
        return [.. arrivals.Zip(arrivals.Skip(1), (before, after) => after - before)];
    }
}
