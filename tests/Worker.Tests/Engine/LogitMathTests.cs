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
}
