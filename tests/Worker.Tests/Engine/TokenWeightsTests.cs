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

        Assert.Equal(Sum(weights), weights.Total, 1e-12 * length);
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
        Assert.Equal(Sum(weights), weights.Total, 1e-12 * length);

        Assert.All((int[])[0, length / 2, length - 1], last =>
        {
            weights = Filled(logits, 1);
            weights.DropBehind(logits, last);
            var kept = before.Select(
                (weight, token) => PartialSelection.Key(logits[token], token) <= PartialSelection.Key(logits[last], last) ? weight : 0);
            Assert.Equal(kept, weights.Values.ToArray());
            Assert.Equal(Sum(weights), weights.Total, 1e-12 * length);
        });
    }

    [Theory, MemberData(nameof(Lengths))]
    public void Masses_count_the_weights_whose_logits_reach_a_bound(int length)
    {
        var logits = Logits(length);
        var weights = Filled(logits, 1.5f);
        double MassFrom(float bound) =>
            logits.Zip(weights.Values.ToArray()).Where(pair => pair.First >= bound).Sum(pair => (double)pair.Second);

        var (first, second, third) = weights.MassesFrom(logits, -5, 0, logits.Max());

        Assert.Equal(MassFrom(-5), first, 1e-12 * length);
        Assert.Equal(MassFrom(0), second, 1e-12 * length);
        Assert.Equal(MassFrom(logits.Max()), third, 1e-12 * length);
    }

    [Theory, MemberData(nameof(Lengths))]
    public void A_share_picks_the_token_where_the_running_sum_exceeds_it(int length)
    {
        var weights = Filled(Logits(length), 3);
        var values = weights.Values.ToArray();
        for (var share = 0.0; share < 1; share += 0.003)
        {
            var sum = 0.0;
            var expected = Array.FindIndex(values, weight => (sum += weight) > share * weights.Total);

            Assert.Equal(expected, weights.Pick(share));
        }
    }

    [Fact]
    public void A_share_that_rounding_puts_past_the_end_picks_the_last_token_that_can_be()
    {
        float[] logits = [float.NegativeInfinity, 1, 2, 3, float.NegativeInfinity];

        Assert.Equal(3, Filled(logits, 1).Pick(1));
        Assert.Equal(1, Filled(logits, 1).Pick(0));
    }

    private static TokenWeights Filled(float[] logits, float temperature)
    {
        var weights = new TokenWeights(logits.Length);
        weights.Fill(logits, logits.Max(), temperature);
        return weights;
    }

    private static double Sum(TokenWeights weights) => weights.Values.ToArray().Sum(weight => (double)weight);

    /// <summary>With equal and masked ones among them.</summary>
    private static float[] Logits(int length)
    {
        var random = new Random(length);
        var logits = Enumerable.Range(0, length).Select(_ => (float)Math.Round(random.NextDouble() * 20 - 10, 1)).ToArray();
        logits[length / 4] = length > 1 ? float.NegativeInfinity : 0;
        return logits;
    }
}
