using Cluster.Worker.Engine;

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
    public void The_cutoff_of_a_count_is_the_key_a_sort_puts_there(string shape, int length)
    {
        var keys = Keys(Logits(shape, length));
        var sorted = keys.Order().ToArray();
        for (var count = 1; count <= length; count += Math.Max(1, length / 17))
        {
            Assert.Equal(sorted[count - 1], PartialSelection.CutoffByCount(keys, count, new ulong[length]));
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void The_cutoff_of_a_mass_is_that_of_a_full_sort(string shape, int length)
    {
        var logits = Logits(shape, length);
        var filled = new TokenWeights(length);
        filled.Fill(logits, logits.Max(), 1.3f);
        var (weights, total) = (filled.Values.ToArray(), filled.Total);
        var keys = Keys(logits);
        var sorted = keys.Order().ToArray();
        Assert.All(new[] { 1e-15, 1e-9, 0.1, 0.5, 0.9, 0.999, 1 - 1e-9, 1, 2 }, share =>
        {
            var mass = Math.Max(1, (ulong)(share * total));

            var cutoff = PartialSelection.CutoffByMass(keys, weights, mass, new ulong[length]);

            Assert.Equal(SortedCutoff(sorted, weights, mass), cutoff);
        });
    }

    [Fact]
    public void Keeping_up_to_a_cutoff_keeps_the_order()
    {
        ulong[] keys = [7, 3, 9, 1, 8];

        Assert.Equal([7, 3, 1], keys[..PartialSelection.KeepUpTo(keys, 7)]);
    }

    /// <summary>The slow and obvious way: most likely first, in decimal fractions of a trillionth and less.</summary>
    private static ulong SortedCutoff(ulong[] sorted, float[] weights, ulong mass)
    {
        const double Unit = 1099511627776;
        Int128 reached = 0;
        foreach (var key in sorted)
        {
            reached += (Int128)Math.Truncate(weights[PartialSelection.TokenId(key)] * Unit);
            if (reached >= mass)
            {
                return key;
            }
        }

        return sorted[^1];
    }

    private static ulong[] Keys(float[] logits) => [.. logits.Select((logit, token) => PartialSelection.Key(logit, token))];

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
