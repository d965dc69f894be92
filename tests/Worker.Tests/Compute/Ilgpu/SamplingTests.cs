using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Draws;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>A device chooses the tokens that the engine's sampler chooses, all of them. A device is put to these tests by a class that
/// makes its backend.</summary>
public abstract class SamplingTests
{
    /// <summary>Draws of a test and vocabulary; a device that is slow at barriers has few.</summary>
    private protected abstract int NumDraws { get; }

    public static TheoryData<int> Vocabularies => [1, 2, 63, 64, 65, 200, 1000];

    [Theory, MemberData(nameof(Vocabularies))]
    public void Greedy_and_drawn_tokens_are_the_hosts(int vocabSize)
    {
        var random = new RandomDraws(vocabSize, vocabSize);

        AssertTheHosts(vocabSize, NumDraws, random, () => random.Sampling(truncates: false, adjusts: false));
    }

    [Theory, MemberData(nameof(Vocabularies))]
    public void Tokens_of_adjusted_rows_are_the_hosts(int vocabSize)
    {
        var random = new RandomDraws(100 + vocabSize, vocabSize);

        AssertTheHosts(vocabSize, NumDraws, random, () => random.Sampling(truncates: false));
    }

    [Theory, MemberData(nameof(Vocabularies))]
    public void Tokens_of_the_likeliest_are_the_hosts(int vocabSize)
    {
        var random = new RandomDraws(200 + vocabSize, vocabSize);

        AssertTheHosts(vocabSize, Math.Max(1, NumDraws / 3), random, () => random.Sampling());
    }

    [Fact]
    public void Tokens_of_a_vocabulary_of_several_chunks_are_the_hosts()
    {
        const int Vocabulary = (3 * Sampling.ChunkTokens) + 77;
        var random = new RandomDraws(7, Vocabulary);

        AssertTheHosts(Vocabulary, Math.Max(1, NumDraws / 4), random, () => random.Sampling());
    }

    [Fact]
    public void Masked_tokens_are_left_out()
    {
        const int Vocabulary = 130;
        var random = new RandomDraws(8, Vocabulary);
        var rows = Enumerable.Range(0, NumDraws).Select(_ => random.Logits()).ToArray();
        var states = rows.Select(_ => random.State(random.Sampling(truncates: false, adjusts: false))).ToArray();
        var draws = new DrawBatch();
        var expected = new int?[rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            var mask = random.Mask();
            var random53 = CounterRandom.Bits53(states[i].Seed, (ulong)states[i].NumAccepted);
            draws.Add(
                new DrawParameters
                {
                    Row = i,
                    Slot = draws.AddSlot(i, mask),
                    Temperature = states[i].Parameters.Temperature,
                    MinP = states[i].Parameters.MinP,
                    RandomHigh = (uint)(random53 >> 32),
                    RandomLow = (uint)random53,
                },
                wantsLogprob: false);
            var masked = rows[i].Select((logit, token) => (mask[token / 64] >> (token % 64) & 1) != 0 ? logit : float.NegativeInfinity);
            expected[i] = Sample(new Sampler(Vocabulary), [.. masked], states[i]);
        }

        var results = Run(rows, draws);

        Assert.Equal(expected, results.Select(result => float.IsFinite(result.Max) ? result.Token : (int?)null));
    }

    [Fact]
    public void Log_probabilities_of_the_chosen_are_the_hosts()
    {
        const int Vocabulary = 300;
        var random = new RandomDraws(9, Vocabulary);
        var rows = Enumerable.Range(0, NumDraws).Select(_ => random.Logits()).ToArray();
        var states = rows.Select(_ => random.State(random.Sampling(truncates: false))).ToArray();
        var draws = new DrawBatch();
        for (var i = 0; i < rows.Length; i++)
        {
            Assert.True(DrawPacker.TryAdd(draws, i, states[i], Vocabulary, wantsLogprob: i % 3 != 0));
        }

        var results = Run(rows, draws);

        var sampler = new Sampler(Vocabulary);
        for (var i = 0; i < rows.Length; i++)
        {
            if (Sample(sampler, rows[i], states[i]) is { } token)
            {
                Assert.Equal(token, results[i].Token);
                var logprob = sampler.Logprobs(rows[i], token, 0).Sampled.Logprob;
                Assert.Equal(i % 3 != 0, results[i].Logprob is not null);
                Assert.Equal(logprob, results[i].Logprob ?? logprob, 1e-6f * Math.Max(1, Math.Abs(logprob)));
            }
        }
    }

    [Fact]
    public void Rows_without_a_choice_say_so_and_the_others_are_not_disturbed()
    {
        const float Inf = float.PositiveInfinity;
        float[][] rows =
        [
            [1, float.NaN, 2, 3], [1, Inf, 2, 3], [-Inf, -Inf, -Inf, -Inf], [float.NaN, Inf, -Inf, 1], [1, 4, 2, 3],
        ];
        var draws = new DrawBatch();
        foreach (var sampling in (SamplingParameters[])[new() { Temperature = 0 }, new(), new() { TopK = 2, TopP = 0.1f }])
        {
            for (var row = 0; row < rows.Length; row++)
            {
                Assert.True(DrawPacker.TryAdd(draws, row, new SamplingState(sampling, [0], 1, []), 4, wantsLogprob: false));
            }
        }

        var results = Run(rows, draws);

        for (var i = 0; i < results.Length; i += rows.Length)
        {
            Assert.Equal([float.NaN, Inf, -Inf, float.NaN, 4], results.Skip(i).Take(rows.Length).Select(result => result.Max));
        }

        Assert.Equal([1, 1], new[] { results[4].Token, results[14].Token });
    }

    [Fact]
    public void Steps_with_other_draws_follow_one_another()
    {
        using var device = new BackendUnderTest(Create());
        var sampler = device.Backend.CreateSampler(50, 8)!;
        var draws = new DrawBatch();
        for (var step = 0; step < 4; step++)
        {
            var random = new RandomDraws(step, 50);
            var rows = Enumerable.Range(0, 2 + step).Select(_ => random.Logits()).ToArray();
            var states = rows.Select(_ => random.State(random.Sampling(truncates: step == 2, adjusts: step % 2 == 1))).ToArray();
            draws.Clear();
            for (var i = 0; i < rows.Length; i++)
            {
                Assert.True(DrawPacker.TryAdd(draws, i, states[i], 50, wantsLogprob: false));
            }

            sampler.Enqueue(device.Floats([.. rows.SelectMany(row => row)], rows.Length, 50), draws);
            sampler.Wait();

            AssertTheHosts(rows, states, sampler.Results);
        }
    }

    private protected abstract Backend Create();

    private void AssertTheHosts(int vocabSize, int count, RandomDraws random, Func<SamplingParameters> sampling)
    {
        var rows = Enumerable.Range(0, count).Select(_ => random.Logits()).ToArray();
        var states = rows.Select(_ => random.State(sampling())).ToArray();
        var draws = new DrawBatch();
        for (var i = 0; i < count; i++)
        {
            Assert.True(DrawPacker.TryAdd(draws, i, states[i], vocabSize, wantsLogprob: false));
        }

        AssertTheHosts(rows, states, Run(rows, draws));
    }

    private static void AssertTheHosts(float[][] rows, SamplingState[] states, ReadOnlySpan<DrawResult> results)
    {
        var sampler = new Sampler(rows[0].Length);
        for (var i = 0; i < rows.Length; i++)
        {
            var expected = Sample(sampler, rows[i], states[i]);
            var actual = float.IsFinite(results[i].Max) ? results[i].Token : (int?)null;
            Assert.True(expected == actual, $"row {i}: {actual} instead of {expected}, {states[i].Parameters}");
        }
    }

    private static int? Sample(Sampler sampler, float[] logits, SamplingState state)
    {
        try
        {
            return sampler.Sample(logits, state);
        }
        catch (GenerationFailedException)
        {
            return null;
        }
    }

    private DrawResult[] Run(float[][] rows, DrawBatch draws)
    {
        using var device = new BackendUnderTest(Create());
        var sampler = device.Backend.CreateSampler(rows[0].Length, draws.Count)!;
        sampler.Enqueue(device.Floats([.. rows.SelectMany(row => row)], rows.Length, rows[0].Length), draws);
        sampler.Wait();
        return sampler.Results.ToArray();
    }
}
