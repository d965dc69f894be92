using System.Runtime.Intrinsics;
using Cluster.Worker.Engine;

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
    public void Masked_values_and_infinity_are_no_obstacle(int length)
    {
        var values = Enumerable.Repeat(float.NegativeInfinity, length).ToArray();
        Assert.Equal(float.NegativeInfinity, LogitMath.Max(values));

        values[length / 2] = float.PositiveInfinity;
        Assert.Equal(float.PositiveInfinity, LogitMath.Max(values));
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

    [Fact]
    public void Exponentials_are_single_precision_over_their_whole_range()
    {
        var logits = Enumerable.Range(0, 100_000).Select(i => -i * 0.001f).Append(float.NegativeInfinity).Append(-1e30f)
            .Append(float.MinValue).ToArray();
        Assert.Equal(1, LogitMath.Exp(Vector256<float>.Zero)[0]);
        Assert.All(logits, logit =>
        {
            var expected = Math.Exp(logit);
            Assert.InRange(LogitMath.Exp(Vector256.Create(logit))[5], expected * (1 - 3e-7) - 1.2e-38, expected * (1 + 3e-7));
        });
    }
}
