using Cluster.Worker.Engine;
using Xunit;

namespace Cluster.Worker.Tests.Engine;

public class LogitMathTests
{
    public static TheoryData<int> Lengths => [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100];

    [Theory, MemberData(nameof(Lengths))]
    public void The_largest_value_and_its_first_place_are_found_wherever_they_are(int length)
    {
        for (var at = 0; at < length; at++)
        {
            var values = Enumerable.Range(0, length).Select(i => -1f - i % 5).ToArray();
            values[at] = 3;
            values[length - 1] = 3;

            Assert.Equal(3, LogitMath.Max(values));
            Assert.Equal(at, LogitMath.IndexOf(values, 3));
            Assert.Equal(-1, LogitMath.IndexOf(values, 4));
        }
    }

    [Theory, MemberData(nameof(Lengths))]
    public void A_NaN_anywhere_makes_the_maximum_NaN(int length)
    {
        for (var at = 0; at < length; at++)
        {
            var values = new float[length];
            values[at] = float.NaN;

            Assert.True(float.IsNaN(LogitMath.Max(values)));
        }
    }

    [Theory, MemberData(nameof(Lengths))]
    public void Exponentials_match_double_precision(int length)
    {
        var random = new Random(length);
        var logits = Enumerable.Range(0, length).Select(_ => (float)(random.NextDouble() * 40 - 20)).ToArray();
        logits[length / 2] = float.NegativeInfinity;
        var max = Math.Max(logits.Max(), -20);
        var weights = new float[length];

        var sum = LogitMath.Exponentials(logits, max, 0.7f, weights);

        for (var i = 0; i < length; i++)
        {
            var expected = Math.Exp(((double)logits[i] - max) / 0.7f);
            Assert.InRange(weights[i], expected * (1 - 1e-5), expected * (1 + 1e-5));
        }

        Assert.Equal(weights.Sum(weight => (double)weight), sum, 1e-9);
    }

    [Theory, MemberData(nameof(Lengths))]
    public void Sums_count_every_value_once(int length)
    {
        // Powers of two add up exactly in any order.
        var values = Enumerable.Range(0, length).Select(i => MathF.Pow(2, -(i % 20))).ToArray();

        Assert.Equal(values.Sum(value => (double)value), LogitMath.Sum(values));
    }

    [Fact]
    public void Exponentials_are_single_precision_over_their_whole_range()
    {
        var logits = Enumerable.Range(0, 100_000).Select(i => -i * 0.001f).Append(float.NegativeInfinity).Append(-1e30f).Append(float.MinValue).ToArray();
        var weights = new float[logits.Length];

        LogitMath.Exponentials(logits, 0, 1, weights);

        Assert.Equal(1, weights[0]);
        for (var i = 0; i < logits.Length; i++)
        {
            var expected = Math.Exp(logits[i]);
            Assert.InRange(weights[i], expected * (1 - 3e-7) - 1.2e-38, expected * (1 + 3e-7));
        }
    }
}
