using Cluster.Worker.Draws;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

public class TokenWeightsTests
{
    public static TheoryData<int> Lengths => [1, 2, 7, 8, 9, 63, 64, 65, 100, 200, 1000];

    [Theory, MemberData(nameof(Lengths))]
    public void Weights_are_the_exponentials_of_what_is_missing_to_the_maximum(int length)
    {
        var logits = Logits(length);
        var max = logits.Max();
        var weights = Filled(logits, 0.7f);

        for (var i = 0; i < length; i++)
        {
            var expected = Math.Exp(((double)logits[i] - max) / 0.7f);
            Assert.InRange(weights.Values[i], expected * (1 - 1e-5), expected * (1 + 1e-5));
        }

        Assert.Equal(Sum(weights), weights.Total);
    }

    [Theory, MemberData(nameof(Lengths))]
    public void Dropped_tokens_weigh_nothing_and_the_others_what_they_did(int length)
    {
        var logits = Logits(length);
        var before = Filled(logits, 1).Values.ToArray();
        var least = before.Order().ElementAt(length / 3);

        var weights = Filled(logits, 1);
        weights.DropBelow(logits, least);
        Assert.Equal(before.Select(weight => weight >= least ? weight : 0), weights.Values.ToArray());
        Assert.Equal(Sum(weights), weights.Total);

        Assert.All((int[])[0, length / 2, length - 1], last =>
        {
            weights = Filled(logits, 1);
            weights.DropBehind(logits, last);
            var kept = before.Select(
                (weight, token) => PartialSelection.Key(logits[token], token) <= PartialSelection.Key(logits[last], last) ? weight : 0);
            Assert.Equal(kept, weights.Values.ToArray());
            Assert.Equal(Sum(weights), weights.Total);
        });
    }

    [Theory, MemberData(nameof(Lengths))]
    public void Masses_count_the_weights_whose_logits_reach_a_bound(int length)
    {
        var logits = Logits(length);
        var weights = Filled(logits, 1.5f);
        ulong MassFrom(float bound) =>
            Sum(logits.Zip(weights.Values.ToArray()).Where(pair => pair.First >= bound).Select(pair => pair.Second));

        var (first, second, third) = weights.MassesFrom(logits, -5, 0, logits.Max());

        Assert.Equal((MassFrom(-5), MassFrom(0), MassFrom(logits.Max())), (first, second, third));
    }

    [Theory, MemberData(nameof(Lengths))]
    public void The_sum_of_a_row_is_that_of_its_weights_at_temperature_1(int length)
    {
        var logits = Logits(length);
        var weights = Filled(logits, 1);

        Assert.Equal(weights.Values.ToArray().Sum(weight => (double)weight), weights.SumOf(logits, logits.Max()), 1e-12 * length);
    }

    [Theory, MemberData(nameof(Lengths))]
    public void A_place_picks_the_token_where_the_running_sum_exceeds_it(int length)
    {
        var weights = Filled(Logits(length), 3);
        var values = weights.Values.ToArray();
        for (var share = 0.0; share < 1; share += 0.003)
        {
            var place = (ulong)(share * weights.Total);
            var sum = 0UL;
            var expected = Array.FindIndex(values, weight => (sum += TokenMass.Of(weight)) > place);

            Assert.Equal(expected, weights.Pick(place));
        }
    }

    [Fact]
    public void The_first_and_the_last_place_are_those_of_tokens_that_can_be()
    {
        var weights = Filled([float.NegativeInfinity, 1, 2, 3, float.NegativeInfinity], 1);

        Assert.Equal(1, weights.Pick(0));
        Assert.Equal(3, weights.Pick(weights.Total - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => weights.Pick(weights.Total));
    }

    private static TokenWeights Filled(float[] logits, float temperature)
    {
        var weights = new TokenWeights(logits.Length);
        weights.Fill(logits, logits.Max(), temperature);
        return weights;
    }

    private static ulong Sum(TokenWeights weights) => Sum(weights.Values.ToArray());

    private static ulong Sum(IEnumerable<float> weights) => weights.Aggregate(0UL, (sum, weight) => sum + TokenMass.Of(weight));

    /// <summary>With equal and masked ones among them.</summary>
    private static float[] Logits(int length)
    {
        var random = new Random(length);
        var logits = Enumerable.Range(0, length).Select(_ => (float)Math.Round(random.NextDouble() * 20 - 10, 1)).ToArray();
        logits[length / 4] = length > 1 ? float.NegativeInfinity : 0;
        return logits;
    }
}
