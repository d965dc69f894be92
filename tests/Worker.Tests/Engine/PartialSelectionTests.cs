using Cluster.Worker.Engine;
using Xunit;

namespace Cluster.Worker.Tests.Engine;

public class PartialSelectionTests
{
    [Fact]
    public void Keys_order_by_logit_downwards_then_by_token_upwards()
    {
        float[] logits = [float.PositiveInfinity, 3.5f, 1, 1e-40f, 0, -1e-40f, -2, -1e30f, float.NegativeInfinity];
        var keys = logits.Select((logit, token) => PartialSelection.Key(logit, token)).ToArray();

        Assert.Equal(keys.Order(), keys);
        Assert.True(PartialSelection.Key(1, 4) < PartialSelection.Key(1, 5));
        Assert.True(PartialSelection.Key(-0f, 4) < PartialSelection.Key(0f, 5));
        Assert.True(PartialSelection.Key(0f, 4) < PartialSelection.Key(-0f, 5));
        Assert.Equal(128_255, PartialSelection.TokenId(PartialSelection.Key(-7, 128_255)));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void The_smallest_keys_come_to_the_front(string shape, int length)
    {
        var logits = Logits(shape, length);
        for (var count = 0; count <= length; count += Math.Max(1, length / 17))
        {
            var keys = logits.Select((logit, token) => PartialSelection.Key(logit, token)).ToArray();
            PartialSelection.SelectCount(keys, count);

            Assert.Equal(logits.Select((logit, token) => PartialSelection.Key(logit, token)).Order().Take(count), keys.Take(count).Order());
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void At_least_so_many_logits_reach_the_floor(string shape, int length)
    {
        var logits = Logits(shape, length);
        for (var count = 1; count <= length; count = count * 3 / 2 + 1)
        {
            var floor = PartialSelection.Floor(logits, count);

            Assert.InRange(logits.Count(logit => logit >= floor), count, length);
        }
    }

    [Fact]
    public void The_floor_of_random_logits_leaves_few_of_them()
    {
        var logits = Logits("random", 3000);

        Assert.InRange(logits.Count(logit => logit >= PartialSelection.Floor(logits, 20)), 20, 30);
        Assert.Equal(float.NegativeInfinity, PartialSelection.Floor(logits, 500));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Mass_takes_the_fewest_keys_that_reach_it(string shape, int length)
    {
        var logits = Logits(shape, length);

        // Powers of two add up exactly in any order, so the right count is beyond doubt.
        var weights = logits.Select(logit => MathF.Pow(2, -MathF.Min(20, MathF.Floor(MathF.Abs(logit - logits.Max()))))).ToArray();
        var sorted = logits.Select((logit, token) => PartialSelection.Key(logit, token)).Order().ToArray();
        var total = weights.Sum(weight => (double)weight);
        foreach (var share in new[] { 1e-9, 0.1, 0.5, 0.9, 0.999, 1 })
        {
            var expected = 0;
            for (var mass = 0.0; mass < share * total; expected++)
            {
                mass += weights[PartialSelection.TokenId(sorted[expected])];
            }

            var keys = logits.Select((logit, token) => PartialSelection.Key(logit, token)).ToArray();
            var count = PartialSelection.SelectMass(keys, weights, share * total);

            Assert.Equal(expected, count);
            Assert.Equal(sorted.Take(count), keys.Take(count).Order());
        }
    }

    public static TheoryData<string, int> Shapes()
    {
        var data = new TheoryData<string, int>();
        foreach (var shape in new[] { "random", "rising", "falling", "equal", "few values", "organ pipe" })
        {
            foreach (var length in new[] { 1, 2, 24, 25, 100, 3000 })
            {
                data.Add(shape, length);
            }
        }

        return data;
    }

    private static float[] Logits(string shape, int length)
    {
        var random = new Random(length);
        return [.. Enumerable.Range(0, length).Select(i => shape switch
        {
            "random" => (float)random.NextDouble() * 30,
            "rising" => i * 0.01f,
            "falling" => -i * 0.01f,
            "equal" => 1f,
            "few values" => random.Next(4),
            _ => Math.Min(i, length - i) * 0.01f,
        })];
    }
}
