using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;

namespace Cluster.Worker.Tests.Engine.Speculation;

/// <summary>Sampled outputs with speculation have the target's distribution: chi-square over many seeds against the probabilities
/// themselves.</summary>
[Trait(Category.Name, Category.Slow)]
public class SpeculativeDistributionTests
{
    private const int Vocab = 4;
    private const int NumTokens = 4;
    private const int NumSeeds = 6000;
    private const float Temperature = 0.8f;
    private static readonly int[] Prompt = [0, 1, 2, 3, 0, 2, 1];

    /// <summary>Next-token logits by last token: the target's, and those of a draft model that is often wrong.</summary>
    private static readonly float[][] Target = [[1, 0.2f, 0, -0.5f], [0, 1.5f, 0.3f, 0], [-1, 0, 0.8f, 0.6f], [0.5f, 0.5f, 0, 1]];

    private static readonly float[][] Draft = [[0.2f, 1, 0, 0], [0, 1, 0.9f, -0.6f], [0.3f, 0, 0.2f, 1], [1, -0.5f, 0, 0.7f]];

    public static TheoryData<string> Proposers => ["draft model", "look-up"];

    [Theory(Timeout = 120_000), MemberData(nameof(Proposers))]
    public async Task Sampled_outputs_have_the_distribution_of_the_target(string kind)
    {
        IDraftProposer proposer = kind == "look-up" ? new NgramProposer(1, 3) : new DraftModelProposer(Runner(Draft), Vocab);
        await using var engine = new LlmEngine(
            Runner(Target), new ByteTokenizer(), new EngineOptions { NumSpeculativeTokens = 3, MaxQueue = NumSeeds }, TimeProvider.System,
            proposer);

        var outputs = await Task.WhenAll(Enumerable.Range(0, NumSeeds).Select(seed => Generation.CollectAsync(engine.GenerateAsync(
            new GenerationRequest(
                $"{seed}", Prompt, new SamplingParameters { Temperature = Temperature, Seed = seed, MaxTokens = NumTokens }),
                CancellationToken.None))));

        var counts = new int[(int)Math.Pow(Vocab, NumTokens)];
        foreach (var output in outputs)
        {
            counts[output.TokenIds.Aggregate(0, (cell, token) => cell * Vocab + token)]++;
        }

        var chiSquare = counts.Select((count, cell) => Math.Pow(count - NumSeeds * Probability(cell), 2) / (NumSeeds * Probability(cell)))
            .Sum();
        var freedom = counts.Length - 1;
        Assert.True(chiSquare < freedom + 3.1 * Math.Sqrt(2 * freedom), $"chi-square {chiSquare:F1} with {freedom} degrees of freedom");

        // Otherwise nothing was tested.
        var speculation = engine.Statistics.Speculation!;
        Assert.InRange(speculation.NumAcceptedTokens / (double)speculation.NumDraftTokens, 0.1, 0.9);
    }

    /// <summary>The random number a draft guesses with decides for the target, too: with the same distribution both always agree.</summary>
    [Fact(Timeout = 60_000)]
    public async Task A_draft_with_the_target_s_distribution_is_always_right()
    {
        await using var engine = new LlmEngine(
            Runner(Target), new ByteTokenizer(), new EngineOptions { NumSpeculativeTokens = 3 }, TimeProvider.System,
            new DraftModelProposer(Runner(Target), Vocab));

        await Generation.CollectAsync(engine.GenerateAsync(
            new GenerationRequest("one", Prompt, new SamplingParameters { Temperature = 1, TopP = 0.9f, Seed = 3, MaxTokens = 40 }),
            CancellationToken.None));

        var speculation = engine.Statistics.Speculation!;
        Assert.Equal(speculation.NumDraftTokens, speculation.NumAcceptedTokens);
        Assert.Equal(speculation.NumAcceptedTokens, speculation.AcceptedPerPosition.Sum());
    }

    [Fact(Timeout = 60_000)]
    public async Task Accepted_tokens_leave_in_one_output()
    {
        using var read = new SemaphoreSlim(1);
        var target = Runner(Target);
        target.OnLaunch = _ => read.Wait();
        await using var engine = new LlmEngine(
            target, new ByteTokenizer(), new EngineOptions { NumSpeculativeTokens = 3 }, TimeProvider.System,
            new DraftModelProposer(Runner(Target), Vocab));
        var sizes = new List<int>();
        await foreach (var output in engine.GenerateAsync(
            new GenerationRequest("one", Prompt, new SamplingParameters { Temperature = 0, MaxTokens = 10, Logprobs = 1 }),
            CancellationToken.None))
        {
            read.Release();
            sizes.Add(output.TokenIds.Count);
            Assert.Equal(output.TokenIds, output.Logprobs!.Select(one => one.Sampled.TokenId));
        }

        // The last step needs no draft for its last token.
        Assert.Equal([1, 4, 4, 1], sizes);
    }

    private static double Probability(int cell)
    {
        var tokens = Enumerable.Range(0, NumTokens).Select(i => cell / (int)Math.Pow(Vocab, NumTokens - 1 - i) % Vocab);
        var (probability, last) = (1.0, Prompt[^1]);
        foreach (var token in tokens)
        {
            probability *= Math.Exp(Target[last][token] / Temperature) / Target[last].Sum(logit => Math.Exp(logit / Temperature));
            last = token;
        }

        return probability;
    }

    private static FakeModelRunner Runner(float[][] logits) =>
        new(Vocab, 4, 4096, 64, maxLogits: 1024) { OnLogits = (context, row) => logits[context[^1]].CopyTo(row, 0) };
}
