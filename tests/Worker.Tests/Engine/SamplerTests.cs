using Cluster.Worker.Draws;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

public class SamplerTests
{
    private const int Vocab = 40;

    [Fact]
    public void Greedy_takes_the_lowest_id_of_equal_logits()
    {
        var logits = new float[Vocab];
        logits[7] = logits[21] = logits[39] = 2;

        Assert.Equal(7, Sample(logits, new SamplingParameters { Temperature = 0 }));
    }

    [Fact]
    public void Greedy_allocates_nothing()
    {
        var logits = RandomLogits(1);
        var sampler = new Sampler(Vocab);
        var state = State(new SamplingParameters { Temperature = 0 });
        sampler.Sample(logits, state);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            sampler.Sample(logits, state);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Drawing_allocates_nothing()
    {
        var logits = RandomLogits(1);
        var sampler = new Sampler(Vocab);
        var state = State(new SamplingParameters { TopK = 20, TopP = 0.9f, MinP = 0.01f });
        sampler.Sample(logits, state);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            sampler.Sample(logits, state);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Adjusted_greedy_choices_agree_with_the_naive_sampler()
    {
        var random = new Random(3);
        Assert.All(Enumerable.Range(0, 300), round =>
        {
            var logits = RandomLogits(round);
            var sampling = RandomAdjustments(random) with { Temperature = 0 };
            var prompt = RandomTokens(random);
            var output = RandomTokens(random);
            var stopTokens = RandomTokens(random);
            var state = State(sampling, prompt, output, stopTokens);

            var adjusted = NaiveSampler.Adjust(logits, sampling, prompt, output, stopTokens);
            var token = new Sampler(Vocab).Sample(logits, state);

            Assert.Equal(adjusted.Max(), adjusted[token], 1e-4);
        });
    }

    /// <summary>Each case draws many times from one distribution. The 99.99 % quantile of χ² with d degrees of freedom is below d + 4·√(2d)
    /// + 10 for every d here, and seeds are fixed, so this fails only for a wrong distribution.</summary>
    [Fact]
    public void Draws_follow_the_naive_distribution()
    {
        const int Draws = 4000;
        var random = new Random(5);
        for (var round = 0; round < 60; round++)
        {
            var logits = RandomLogits(round);
            var sampling = RandomAdjustments(random) with
            {
                Temperature = 0.3f + (float)random.NextDouble() * 2,
                TopK = random.Next(3) == 0 ? random.Next(-1, Vocab + 3) : 0,
                TopP = random.Next(3) == 0 ? 0.05f + 0.9f * (float)random.NextDouble() : 1,
                MinP = random.Next(3) == 0 ? 0.2f * (float)random.NextDouble() : 0,
            };
            var prompt = RandomTokens(random);
            var output = RandomTokens(random);
            var stopTokens = RandomTokens(random);
            var expected = NaiveSampler.Distribution(NaiveSampler.Adjust(logits, sampling, prompt, output, stopTokens), sampling);
            var sampler = new Sampler(Vocab);
            var counts = new int[Vocab];
            for (var seed = 0; seed < Draws; seed++)
            {
                counts[sampler.Sample(logits, State(sampling with { Seed = seed }, prompt, output, stopTokens))]++;
            }

            AssertFollows(expected, counts, Draws);
        }
    }

    [Fact]
    public void Positions_of_one_seed_are_independent_draws()
    {
        const int Draws = 20_000;
        var logits = RandomLogits(2);
        var sampling = new SamplingParameters { Seed = 0 };
        var state = State(sampling);
        var sampler = new Sampler(Vocab);
        var counts = new int[Vocab];
        for (var i = 0; i < Draws; i++)
        {
            var token = sampler.Sample(logits, state);
            counts[token]++;
            state.Accept(token);
        }

        AssertFollows(NaiveSampler.Distribution([.. logits.Select(logit => (double)logit)], sampling), counts, Draws);
    }

    [Fact]
    public void A_seed_decides_every_draw_and_another_seed_draws_differently()
    {
        int[] Draw(long seed)
        {
            var state = State(new SamplingParameters { Seed = seed });
            var sampler = new Sampler(Vocab);
            var tokens = new int[50];
            for (var i = 0; i < tokens.Length; i++)
            {
                tokens[i] = sampler.Sample(RandomLogits(i), state);
                state.Accept(tokens[i]);
            }

            return tokens;
        }

        Assert.Equal(Draw(42), Draw(42));
        Assert.NotEqual(Draw(42), Draw(43));
        Assert.NotEqual(Draw(1), Draw(-1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(30)]
    public void Top_k_keeps_exactly_k_even_among_equal_logits(int k)
    {
        var logits = new float[Vocab];
        var seen = new HashSet<int>();
        for (var seed = 0; seed < 2000; seed++)
        {
            seen.Add(Sample(logits, new SamplingParameters { TopK = k, Seed = seed }));
        }

        Assert.Equal(Enumerable.Range(0, k), seen.Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(30)]
    public void Top_k_of_a_large_vocabulary_keeps_the_k_likeliest(int k)
    {
        var random = new Random(k);
        var logits = Enumerable.Range(0, 6000).Select(_ => (float)Math.Round(random.NextDouble() * 8, 2)).ToArray();
        var expected = Enumerable.Range(0, logits.Length).OrderByDescending(token => logits[token]).ThenBy(token => token).Take(k)
            .ToArray();
        var sampler = new Sampler(logits.Length);
        var seen = new HashSet<int>();
        for (var seed = 0; seed < 40 * k; seed++)
        {
            seen.Add(sampler.Sample(logits, State(new SamplingParameters { TopK = k, Seed = seed })));
        }

        Assert.Equal(expected.Order(), seen.Order());
        Assert.Equal(expected, sampler.Logprobs(logits, 0, k).Top.Select(top => top.TokenId));
    }

    [Theory]
    [InlineData(0.3f, 3)]
    [InlineData(0.9f, 1)]
    [InlineData(0.9f, 4)]
    [InlineData(0.999f, 2)]
    [InlineData(0.9999999f, 1)]
    public void Top_p_of_a_large_vocabulary_draws_from_the_naive_set(float topP, int spread)
    {
        var random = new Random(spread);
        var logits = Enumerable.Range(0, 6000).Select(_ => (float)Math.Round(random.NextDouble() * 4 * spread, 2)).ToArray();
        var sampling = new SamplingParameters { TopP = topP };
        var expected = NaiveSampler.Distribution([.. logits.Select(logit => (double)logit)], sampling);
        var sampler = new Sampler(logits.Length);
        var least = double.MaxValue;
        for (var seed = 0; seed < 2000; seed++)
        {
            least = Math.Min(least, expected[sampler.Sample(logits, State(sampling with { Seed = seed }))]);
        }

        Assert.True(least > 0);
    }

    /// <summary>The reference orders all tokens and adds them up one by one. Shapes have many equal logits, one that has almost all the
    /// mass, and none.</summary>
    [Theory]
    [InlineData("flat", 1f)]
    [InlineData("flat", 1e-4f)]
    [InlineData("flat", 1e30f)]
    [InlineData("peaked", 1f)]
    [InlineData("few values", 1f)]
    [InlineData("equal", 0.7f)]
    [InlineData("one", 1f)]
    public void Top_p_draws_what_a_full_sort_draws(string shape, float temperature)
    {
        var random = new Random(9);
        Assert.All(Enumerable.Range(0, 12), round =>
        {
            var logits = Enumerable.Range(0, 5000).Select(token => shape switch
            {
                "flat" => (float)random.NextDouble(),
                "peaked" => (float)(40 * Math.Pow(random.NextDouble(), 4)) - 100,
                "few values" => random.Next(4),
                "equal" => -3f,
                _ => token == 4321 ? 30f : 0f,
            }).ToArray();
            var sampling = new SamplingParameters
            {
                Temperature = temperature,
                TopP = random.Next(8) == 0 ? 0.9999999f : (float)Math.Pow(random.NextDouble(), 0.3),
                MinP = random.Next(3) == 0 ? 0.3f : 0,
                Seed = round
            };
            var sampler = new Sampler(logits.Length);
            var naive = NaiveSampler.FullSort(logits, sampling);
            var state = State(sampling);
            for (var position = 0; position < 40; position++)
            {
                Assert.Equal(naive(CounterRandom.Uniform((ulong)round, (ulong)position)), sampler.Sample(logits, state));
                state.Accept(0);
            }
        });
    }

    [Fact]
    public void Every_token_can_be_the_one_picked()
    {
        // Spans several stretches, with masked tokens at the front and the end.
        var logits = Enumerable.Range(0, 200).Select(token => token is < 3 or >= 197 ? float.NegativeInfinity : 0f).ToArray();
        var sampler = new Sampler(logits.Length);
        var counts = new int[logits.Length];
        for (var seed = 0; seed < 40_000; seed++)
        {
            counts[sampler.Sample(logits, State(new SamplingParameters { Seed = seed }))]++;
        }

        AssertFollows([.. logits.Select(logit => logit == 0 ? 1.0 / 194 : 0)], counts, 40_000);
    }

    [Fact]
    public void A_tiny_top_p_keeps_the_likeliest_token()
    {
        var logits = RandomLogits(4);
        var best = Array.IndexOf(logits, logits.Max());
        Assert.All(
            Enumerable.Range(0, 50), seed => Assert.Equal(best, Sample(logits, new SamplingParameters { TopP = 1e-6f, Seed = seed })));
    }

    [Theory]
    [InlineData(1e-30f)]
    [InlineData(1e-45f)]
    public void A_temperature_next_to_zero_is_greedy(float temperature)
    {
        var logits = RandomLogits(4);

        Assert.Equal(Array.IndexOf(logits, logits.Max()), Sample(logits, new SamplingParameters { Temperature = temperature }));
    }

    [Fact]
    public void A_huge_temperature_is_uniform()
    {
        var counts = new int[Vocab];
        for (var seed = 0; seed < 8000; seed++)
        {
            counts[Sample(RandomLogits(4), new SamplingParameters { Temperature = float.MaxValue, Seed = seed })]++;
        }

        AssertFollows([.. Enumerable.Repeat(1.0 / Vocab, Vocab)], counts, 8000);
    }

    [Fact]
    public void Masked_tokens_are_never_drawn()
    {
        var logits = RandomLogits(4);
        for (var token = 0; token < Vocab; token += 2)
        {
            logits[token] = float.NegativeInfinity;
        }

        Assert.All(Enumerable.Range(0, 500), seed =>
        {
            Assert.True(Sample(logits, new SamplingParameters { Seed = seed, Temperature = 5 }) % 2 == 1);
            Assert.True(Sample(logits, new SamplingParameters { Seed = seed, Temperature = 5, TopK = 35 }) % 2 == 1);
        });
    }

    [Theory]
    [InlineData(float.NaN, 0f, "NaN")]
    [InlineData(float.NaN, 1f, "NaN")]
    [InlineData(float.PositiveInfinity, 0f, "+infinity")]
    [InlineData(float.PositiveInfinity, 1f, "+infinity")]
    public void A_logit_that_is_no_number_is_an_error_that_says_so(float bad, float temperature, string named)
    {
        var logits = RandomLogits(4);
        logits[17] = bad;

        var failure = Assert.Throws<GenerationFailedException>(() => Sample(logits, new SamplingParameters { Temperature = temperature }));
        Assert.Contains(named, failure.Message);
    }

    [Fact]
    public void Masking_every_token_is_an_error()
    {
        var state = State(new SamplingParameters { MinTokens = 1 }, stopTokens: [.. Enumerable.Range(0, Vocab)]);

        Assert.Throws<GenerationFailedException>(() => new Sampler(Vocab).Sample(new float[Vocab], state));
    }

    [Fact]
    public void Stop_tokens_become_possible_once_the_minimum_is_reached()
    {
        var logits = new float[Vocab];
        logits[9] = 5;
        var state = State(new SamplingParameters { Temperature = 0, MinTokens = 2 }, stopTokens: [9]);
        var sampler = new Sampler(Vocab);
        var tokens = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            tokens.Add(sampler.Sample(logits, state));
            state.Accept(tokens[^1]);
        }

        Assert.Equal([0, 0, 9], tokens);
    }

    [Fact]
    public void Logprobs_are_the_log_softmax_of_the_plain_logits()
    {
        var logits = RandomLogits(6);
        var logSum = Math.Log(logits.Sum(logit => Math.Exp(logit)));

        var logprobs = new Sampler(Vocab).Logprobs(logits, 11, 5);

        Assert.Equal(11, logprobs.Sampled.TokenId);
        Assert.Equal(logits[11] - logSum, logprobs.Sampled.Logprob, 1e-5);
        Assert.Equal(Enumerable.Range(0, Vocab).OrderByDescending(token => logits[token]).Take(5), logprobs.Top.Select(top => top.TokenId));
        Assert.All(logprobs.Top, top => Assert.Equal(logits[top.TokenId] - logSum, top.Logprob, 1e-5));
    }

    [Fact]
    public void Equal_logprobs_are_reported_lowest_id_first()
    {
        var logprobs = new Sampler(Vocab).Logprobs(new float[Vocab], 30, 4);

        Assert.Equal([0, 1, 2, 3], logprobs.Top.Select(top => top.TokenId));
        Assert.Empty(new Sampler(Vocab).Logprobs(new float[Vocab], 30, 0).Top);
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "+infinity")]
    [InlineData(float.NegativeInfinity, "forbids every token")]
    public void A_device_that_had_no_choice_fails_as_the_host_does(float max, string says)
    {
        var state = State(new SamplingParameters());
        var logits = new float[Vocab];
        Array.Fill(logits, float.NegativeInfinity);
        logits[3] = max;

        var onHost = Assert.Throws<GenerationFailedException>(() => new Sampler(Vocab).Sample(logits, state));
        var onDevice = Assert.Throws<GenerationFailedException>(() => Sampler.Accept(new DrawResult(0, max, null), state));

        Assert.Contains(says, onHost.Message, StringComparison.Ordinal);
        Assert.Equal(onHost.Message, onDevice.Message);
    }

    private static int Sample(float[] logits, SamplingParameters sampling) => new Sampler(logits.Length).Sample(logits, State(sampling));

    private static SamplingState State(SamplingParameters sampling, int[]? prompt = null, int[]? output = null, int[]? stopTokens = null)
    {
        var state = new SamplingState(sampling, prompt ?? [], seed: 12345, stopTokens ?? []);
        foreach (var token in output ?? [])
        {
            state.Accept(token);
        }

        return state;
    }

    private static float[] RandomLogits(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Vocab).Select(_ => (float)(random.NextDouble() * 8 - 4))];
    }

    private static int[] RandomTokens(Random random) => [.. Enumerable.Range(0, random.Next(6)).Select(_ => random.Next(Vocab))];

    private static SamplingParameters RandomAdjustments(Random random) => new()
    {
        RepetitionPenalty = random.Next(2) == 0 ? 1 : 0.5f + (float)random.NextDouble(),
        PresencePenalty = random.Next(2) == 0 ? 0 : (float)random.NextDouble() * 4 - 2,
        FrequencyPenalty = random.Next(2) == 0 ? 0 : (float)random.NextDouble() * 4 - 2,
        LogitBias = random.Next(2) == 0
            ? null
            : new Dictionary<int, float> { [random.Next(Vocab)] = random.Next(-200, 5), [Vocab - 1] = 1.5f },
        MinTokens = random.Next(2) == 0 ? 0 : random.Next(10),
    };

    private static void AssertFollows(double[] expected, int[] counts, int draws)
    {
        var statistic = 0.0;
        var cells = 0;
        var (restExpected, restCount) = (0.0, 0);
        for (var token = 0; token < expected.Length; token++)
        {
            if (expected[token] == 0)
            {
                Assert.Equal(0, counts[token]);
            }
            else if (expected[token] * draws < 8)
            {
                restExpected += expected[token] * draws;
                restCount += counts[token];
            }
            else
            {
                statistic += Math.Pow(counts[token] - expected[token] * draws, 2) / (expected[token] * draws);
                cells++;
            }
        }

        if (restExpected > 0)
        {
            statistic += Math.Pow(restCount - restExpected, 2) / Math.Max(restExpected, 1);
            cells++;
        }

        var degrees = Math.Max(1, cells - 1);
        Assert.True(statistic < degrees + 4 * Math.Sqrt(2 * degrees) + 10, $"χ² is {statistic:F1} for {degrees} degrees of freedom");
    }
}
